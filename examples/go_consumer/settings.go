package main

import (
	"cmp"
	"errors"
	"os"
	"strings"
)

// Settings are read from the variables that all of ESKIT reads; `make env` prints them for a stack on this machine.
type Settings struct {
	Brokers    []string
	OffsetsURL string
	Log        string
	Consumer   string // its name
}

// FromEnvironment fails when there is no broker to ask.
func FromEnvironment(consumer string) (Settings, error) {
	brokers := cmp.Or(os.Getenv("ESKIT_KAFKA_BOOTSTRAP"), os.Getenv("KAFKA_BOOTSTRAP"))
	if brokers == "" {
		return Settings{}, errors.New("KAFKA_BOOTSTRAP is not set; `make env` prints it for a local stack")
	}
	return Settings{
		Brokers:    strings.Split(brokers, ","),
		OffsetsURL: strings.TrimRight(cmp.Or(os.Getenv("ESKIT_OFFSETS_URL"), "http://127.0.0.1:8003"), "/"),
		Log:        cmp.Or(os.Getenv("ESKIT_LOG"), "main"),
		Consumer:   consumer,
	}, nil
}

// Topic is the log's topic.
func (s Settings) Topic() string { return s.ofLog("eskit.application-log") }

// Group is the consumer group: one group reads one topic.
func (s Settings) Group() string { return s.ofLog(s.Consumer) }

func (s Settings) ofLog(name string) string {
	if s.Log == "main" {
		return name
	}
	return name + "." + s.Log
}
