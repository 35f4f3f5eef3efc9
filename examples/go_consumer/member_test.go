package main

import (
	"context"
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// working is a member that owns partition 0, and the positions its handler was called with.
func working(t *testing.T, handle func(calls int) error) (*Member, *[]int64) {
	t.Helper()
	wanted, err := ParseSelector("User.*")
	if err != nil {
		t.Fatal(err)
	}
	var calls []int64
	m := &Member{
		settings: Settings{Log: "main", Consumer: "billing"},
		wanted:   wanted,
		owned:    map[int32]*progress{0: newProgress(Claim{Partition: 0, Epoch: 7})},
	}
	m.handle = func(_ context.Context, _ *kgo.Record, event Event) error {
		calls = append(calls, event.Position)
		return handle(len(calls))
	}
	return m, &calls
}

// first is the first sample, a User.Created at position 1, at some offset.
func first(t *testing.T, offset int64, eventType string) *kgo.Record {
	t.Helper()
	headers := []kgo.RecordHeader{{Key: "ce_type", Value: []byte(eventType)}}
	return &kgo.Record{Offset: offset, Headers: headers, Value: bytesOf(t, samples(t)[0].Value)}
}

func TestAHandlerThatFailsIsCalledAgain(t *testing.T) {
	m, calls := working(t, func(calls int) error {
		if calls < 3 {
			return errors.New("not yet")
		}
		return nil
	})
	if done, err := m.work(t.Context(), first(t, 4, "User.Created")); !done || err != nil || len(*calls) != 3 {
		t.Errorf("%t %v, %d calls", done, err, len(*calls))
	}
	if p := m.owner(0); *p.next != 5 || p.position != 1 {
		t.Errorf("%+v", p)
	}
}

func TestWhatATurnBreaksOffIsNotDone(t *testing.T) {
	turn, end := context.WithCancel(t.Context())
	m, _ := working(t, func(int) error {
		end()
		return turn.Err()
	})
	if done, err := m.work(turn, first(t, 4, "User.Created")); done || err != nil {
		t.Errorf("%t %v", done, err)
	}
	if m.owner(0).next != nil {
		t.Error("the offset moved before the effect")
	}
}

func TestDuplicatesAndWhatIsNotWantedMoveTheOffsetOnly(t *testing.T) {
	m, calls := working(t, func(int) error { return nil })
	for offset, eventType := range []string{"Order.Created", "User.Created", "User.Created"} {
		if done, err := m.work(t.Context(), first(t, int64(offset), eventType)); !done || err != nil {
			t.Errorf("%t %v", done, err)
		}
	}
	// All have position 1: the first one, though not wanted, makes duplicates of the others.
	if len(*calls) != 0 || *m.owner(0).next != 3 {
		t.Errorf("%d calls, next %d", len(*calls), *m.owner(0).next)
	}
}

func TestAFencedPartitionIsDroppedAndTheOthersAreCommitted(t *testing.T) {
	m, _ := working(t, func(int) error { return nil })
	m.owned[1] = newProgress(Claim{Partition: 1, Epoch: 8})
	m.owned[0].done(0, 1)
	m.owned[1].done(0, 2)
	m.pending = []*kgo.Record{{Partition: 1, Offset: 1}, {Partition: 0, Offset: 1}}
	m.offsets, _ = answering(t, answer(200, `{"results":[
		{"status":200,"topic":"t","partition":0,"offset":1,"position":1,"epoch":7},
		{"status":409,"topic":"t","partition":1,"code":"fenced","detail":"epoch 9","epoch":9}]}`))
	if err := m.commit(t.Context(), m.all()); !errors.Is(err, ErrFenced) {
		t.Errorf("%v", err)
	}
	if len(m.owned) != 1 || *m.owned[0].stored != 1 {
		t.Errorf("%+v", m.owned)
	}
	if len(m.pending) != 1 || m.pending[0].Partition != 0 {
		t.Errorf("%+v", m.pending)
	}
}
