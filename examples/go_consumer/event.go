package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// fingerprint is the CRC-64-AVRO of schemas/application_log_entry.avsc; a test computes it from the file, so a schema
// that has changed is noticed there, and a record of another schema is refused here.
const fingerprint = 0xF17604601C499E6C

var prefix = binary.LittleEndian.AppendUint64([]byte{0xC3, 0x01}, fingerprint)

// Event is one entry of the application log.
type Event struct {
	Position   int64             `json:"position"` // place in the log: 1, 2, 3 … over all partitions
	EventID    string            `json:"event_id"`
	Originator Originator        `json:"originator"`
	EntityType string            `json:"entity_type"`
	EventType  string            `json:"event_type"`
	Payload    json.RawMessage   `json:"payload"` // a JSON object, to the byte as the producer sent it
	Metadata   map[string]string `json:"metadata"`
	OccurredOn time.Time         `json:"occurred_on"`
	RecordedAt time.Time         `json:"recorded_at"`
}

// Originator is what an event is about, and the version that the event takes there.
type Originator struct {
	ID      string `json:"id"`
	Version int32  `json:"version"`
}

// Position reads an event's position, the schema's first field, without decoding the rest.
func Position(value []byte) (int64, error) {
	body, ours := bytes.CutPrefix(value, prefix)
	if !ours {
		return 0, fmt.Errorf("it starts with % x, an event with % x", value[:min(len(value), len(prefix))], prefix)
	}
	r := reader{rest: body}
	position := r.long()
	return position, r.err
}

// Decode reads a record's value: Avro's single-object encoding, the fields in the order of the schema.
func Decode(value []byte) (Event, error) {
	if _, err := Position(value); err != nil {
		return Event{}, err
	}
	r := reader{rest: value[len(prefix):]}
	event := Event{
		Position:   r.long(),
		EventID:    r.text(),
		Originator: Originator{ID: r.text(), Version: r.int()},
		EntityType: r.text(),
		EventType:  r.text(),
		Payload:    json.RawMessage(r.text()),
		Metadata:   r.texts(),
		OccurredOn: time.UnixMicro(r.long()).UTC(),
		RecordedAt: time.UnixMicro(r.long()).UTC(),
	}
	if r.err == nil && len(r.rest) > 0 {
		r.err = fmt.Errorf("%d bytes are left over", len(r.rest))
	}
	return event, r.err
}

var (
	errShort = errors.New("it ends within a field")
	errText  = errors.New("a text is not UTF-8")
)

// reader takes Avro's primitive types off the front of rest. After the first error every value is zero.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.rest = nil
}

// long is a zigzag varint: exactly what encoding/binary calls one.
func (r *reader) long() int64 {
	number, size := binary.Varint(r.rest)
	if size <= 0 {
		r.fail(errShort)
		return 0
	}
	r.rest = r.rest[size:]
	return number
}

func (r *reader) int() int32 {
	number := r.long()
	if number != int64(int32(number)) {
		r.fail(fmt.Errorf("%d is no int", number))
	}
	return int32(number)
}

func (r *reader) text() string {
	size := r.long()
	if size < 0 || size > int64(len(r.rest)) {
		r.fail(errShort)
		return ""
	}
	text := r.rest[:size]
	r.rest = r.rest[size:]
	if !utf8.Valid(text) {
		r.fail(errText)
	}
	return string(text)
}

// texts is a map of strings: blocks of a count and so many entries, ended by a count of 0. A negative count means that
// the block's size in bytes follows, for readers who skip it.
func (r *reader) texts() map[string]string {
	found := map[string]string{}
	for count := r.long(); count != 0 && r.err == nil; count = r.long() {
		if count < 0 {
			count = -count
			r.long()
		}
		for ; count != 0 && r.err == nil; count-- {
			key := r.text()
			found[key] = r.text()
		}
	}
	return found
}
