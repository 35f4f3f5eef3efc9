package main

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
	"time"
)

// sample is a record of the topic as the relay makes it; the kit's own tests hold the file against the relay's encoder.
type sample struct {
	Event struct {
		Position   int64
		EventID    string `json:"event_id"`
		EntityType string `json:"entity_type"`
		Originator string `json:"originator_id"`
		Version    int32
		Action     string
		Payload    string
		Metadata   string
		OccurredOn int64 `json:"occurred_on_us"`
		RecordedAt int64 `json:"recorded_at_us"`
	}
	Value string
}

func samples(t testing.TB) []sample {
	t.Helper()
	var found []sample
	load(t, "testdata/records.json", &found)
	if len(found) == 0 {
		t.Fatal("no samples")
	}
	return found
}

func load(t testing.TB, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

func bytesOf(t testing.TB, text string) []byte {
	t.Helper()
	value, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestDecode(t *testing.T) {
	for _, s := range samples(t) {
		got, err := Decode(bytesOf(t, s.Value))
		if err != nil {
			t.Fatal(err)
		}
		metadata, err := json.Marshal(got.Metadata)
		if err != nil {
			t.Fatal(err)
		}
		var want map[string]string
		if err := json.Unmarshal([]byte(s.Event.Metadata), &want); err != nil {
			t.Fatal(err)
		}
		wantMetadata, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		same := got.Position == s.Event.Position && got.EventID == s.Event.EventID &&
			got.Originator == Originator{s.Event.Originator, s.Event.Version} &&
			got.EntityType == s.Event.EntityType && got.EventType == s.Event.EntityType+"."+s.Event.Action &&
			string(got.Payload) == s.Event.Payload && string(metadata) == string(wantMetadata) &&
			got.OccurredOn.Equal(time.UnixMicro(s.Event.OccurredOn)) && got.RecordedAt.Equal(time.UnixMicro(s.Event.RecordedAt))
		if !same {
			t.Errorf("got  %+v\nwant %+v", got, s.Event)
		}
		if position, err := Position(bytesOf(t, s.Value)); position != s.Event.Position || err != nil {
			t.Errorf("Position: %d, %v; want %d", position, err, s.Event.Position)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, s := range samples(t) {
		whole := bytesOf(t, s.Value)
		for size := range whole {
			if _, err := Decode(whole[:size]); err == nil {
				t.Errorf("the first %d of %d bytes were decoded", size, len(whole))
			}
		}
		if _, err := Decode(append(whole, 0)); err == nil {
			t.Error("a byte too many was decoded")
		}
		whole[2] ^= 1
		if _, err := Position(whole); err == nil {
			t.Error("another schema's record was read")
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range samples(f) {
		f.Add(bytesOf(f, s.Value))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		event, err := Decode(value)
		position, _ := Position(value)
		if err == nil && event.Position != position {
			t.Errorf("positions %d and %d", event.Position, position)
		}
	})
}
