// A consumer of the application log in Go, against nothing but Kafka and the offsets service's REST calls:
//
//	eval "$(make env)"
//	cd examples/go_consumer && go run . -name billing -select 'User.*,*.Deleted'
//
// It writes each event as a line of JSON. docs/howto/consumer-in-another-language.md goes through it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	name := flag.String("name", "billing", "name of the consumer: all processes of one name share the partitions")
	selector := flag.String("select", "*", "which events are wanted")
	where := flag.String("where", "", "print the partition of this originator id, and end")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	settings, err := FromEnvironment(*name)
	if err == nil && *where != "" {
		err = find(ctx, settings, *where)
	} else if err == nil {
		err = run(ctx, settings, *selector)
	}
	if err != nil {
		slog.Error("ended", "error", err)
		os.Exit(1)
	}
}

func find(ctx context.Context, settings Settings, originatorID string) error {
	kafka, err := kadm.NewOptClient(kgo.SeedBrokers(settings.Brokers...))
	if err != nil {
		return err
	}
	defer kafka.Close()
	topics, err := kafka.ListTopics(ctx, settings.Topic())
	if err != nil {
		return err
	}
	if err := topics.Error(); err != nil {
		return err
	}
	fmt.Println(PartitionOf(originatorID, int32(len(topics[settings.Topic()].Partitions))))
	return nil
}

func run(ctx context.Context, settings Settings, selector string) error {
	wanted, err := ParseSelector(selector)
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	offsets := NewOffsets(settings.OffsetsURL, settings.Consumer)
	member := fmt.Sprintf("%s %d %08x", host, os.Getpid(), rand.Uint32())

	// Who is fenced does not claim back, since that could fence the rightful owner in turn. He asks the group: leaves it,
	// joins it anew, with growing pauses, and claims what it gives him.
	for pause := time.Second; ; pause = min(2*pause, 30*time.Second) {
		m := &Member{settings: settings, name: member, wanted: wanted, handle: write(member), offsets: offsets}
		if err := m.Run(ctx); !errors.Is(err, ErrFenced) {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause/2 + rand.N(pause/2)):
		}
	}
}

// write is the effect: a line for each event, in one call, so that processes may share a file.
func write(member string) Handler {
	return func(_ context.Context, record *kgo.Record, event Event) error {
		line, err := json.Marshal(struct {
			Member    string `json:"member"`
			Partition int32  `json:"partition"`
			Offset    int64  `json:"offset"`
			Event
		}{member, record.Partition, record.Offset, event})
		if err != nil {
			return err
		}
		_, err = os.Stdout.Write(append(line, '\n'))
		return err
	}
}
