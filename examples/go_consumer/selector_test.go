package main

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestSelector(t *testing.T) {
	for _, test := range []struct {
		selector, eventType string
		wanted              bool
	}{
		{"*", "User.Created", true},
		{"User.*", "User.Created", true},
		{"User.*", "com.acme.User.Created", false},
		{"com.acme.User.*", "com.acme.User.Created", true},
		{"User.Created", "User.Deleted", false},
		{"*.Deleted", "com.acme.User.Deleted", true},
		{"Order.*, User.Deleted", "User.Deleted", true},
		{"Order.*, User.Deleted", "User.Created", false},
	} {
		selector, err := ParseSelector(test.selector)
		if err != nil {
			t.Fatal(err)
		}
		record := &kgo.Record{Headers: []kgo.RecordHeader{{Key: "ce_type", Value: []byte(test.eventType)}}}
		if got := selector.Wants(record); got != test.wanted {
			t.Errorf("%s, %s: %t", test.selector, test.eventType, got)
		}
		if !selector.Wants(&kgo.Record{}) {
			t.Errorf("%s passes over a record that does not say what it is", test.selector)
		}
	}
	for _, text := range []string{"", "User", ".Created", "User.", "*,"} {
		if _, err := ParseSelector(text); err == nil {
			t.Errorf("%q is a selector", text)
		}
	}
}
