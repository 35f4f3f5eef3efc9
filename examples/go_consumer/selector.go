package main

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Selector says which events are wanted: `*`, `User.*`, `User.Created`, `*.Deleted`, or several with commas between.
type Selector []term

type term struct{ entityType, action string }

// ParseSelector refuses what is no selector.
func ParseSelector(text string) (Selector, error) {
	var selector Selector
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		if part == "*" {
			part = "*.*"
		}
		entityType, action := splitType(part)
		if entityType == "" || action == "" {
			return nil, fmt.Errorf("selector: `%s` is none of `*`, `User.*`, `User.Created`, `*.Deleted`", part)
		}
		selector = append(selector, term{entityType, action})
	}
	return selector, nil
}

// Wants looks at the header `ce_type` only; an event whose headers do not say what it is, is wanted.
func (s Selector) Wants(record *kgo.Record) bool {
	for _, header := range record.Headers {
		if header.Key == "ce_type" {
			return s.matches(splitType(string(header.Value)))
		}
	}
	return true
}

func (s Selector) matches(entityType, action string) bool {
	for _, t := range s {
		if (t.entityType == "*" || t.entityType == entityType) && (t.action == "*" || t.action == action) {
			return true
		}
	}
	return false
}

// splitType divides an event type at its last dot.
func splitType(eventType string) (entityType, action string) {
	if dot := strings.LastIndexByte(eventType, '.'); dot >= 0 {
		return eventType[:dot], eventType[dot+1:]
	}
	return "", ""
}
