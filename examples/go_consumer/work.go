package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// work does what a record is for. False: the turn ended before it was done.
func (m *Member) work(turn context.Context, record *kgo.Record) (bool, error) {
	p := m.owner(record.Partition)
	if p == nil {
		return true, nil
	}
	position, err := Position(record.Value)
	if err != nil {
		return false, undecodable(record, err)
	}
	if !p.seen(position) && m.wanted.Wants(record) {
		event, err := Decode(record.Value)
		if err != nil {
			return false, undecodable(record, err)
		}
		if !m.effect(turn, record, event) {
			return false, nil
		}
	}
	p.done(record.Offset, position)
	return true, nil
}

func undecodable(record *kgo.Record, err error) error {
	return fmt.Errorf("%s %d, offset %d is no event: %w", record.Topic, record.Partition, record.Offset, err)
}

// effect calls the handler until it succeeds, or the turn ends.
func (m *Member) effect(turn context.Context, record *kgo.Record, event Event) bool {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 30*time.Second) {
		err := m.handle(turn, record, event)
		if err == nil {
			return true
		}
		if turn.Err() == nil {
			slog.Error("the handler failed, it is called again", "position", event.Position, "error", err)
		}
		select {
		case <-turn.Done():
			return false
		case <-time.After(pause/2 + rand.N(pause/2)):
		}
	}
}

// commit sends what these partitions have done, in one call, for as long as ctx lasts. ErrFenced when one of them is
// somebody else's by now: it is dropped, the others are committed.
func (m *Member) commit(ctx context.Context, partitions []int32) error {
	var ours []*progress
	for _, partition := range partitions {
		if p := m.owner(partition); p != nil {
			ours = append(ours, p)
		}
	}
	again := len(ours) > 0 && time.Since(m.heard) >= refreshEvery
	commits := []Commit{} // none is a sign of life, too
	for _, p := range ours {
		if commit, news := p.commit(m.settings.Topic(), again); news {
			commits = append(commits, commit)
		}
	}
	m.done = 0
	if len(commits) == 0 && !again {
		return nil
	}
	refusals, err := m.offsets.Commit(ctx, commits)
	if err != nil {
		if _, refused := errors.AsType[*Problem](err); refused {
			return err
		}
		return nil // away until ctx ended: the next turn, or the next owner, begins where we are known to be
	}
	m.heard = time.Now()
	var failed error
	for i, refusal := range refusals {
		partition := commits[i].Partition
		switch {
		case refusal == nil:
			m.owner(partition).stored = &commits[i].Offset
		case refusal.Code == "fenced":
			slog.Warn("fenced: somebody else has claimed the partition", "partition", partition)
			m.drop([]int32{partition})
			failed = errors.Join(failed, ErrFenced)
		default:
			failed = errors.Join(failed, refusal)
		}
	}
	return failed
}

// giveBack commits and releases what is to be somebody else's.
func (m *Member) giveBack(partitions []int32) {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	defer m.drop(partitions)
	if err := m.commit(ctx, partitions); err != nil && !errors.Is(err, ErrFenced) {
		slog.Error("the last commit was refused", "error", err)
		m.fatal(err)
		return
	}
	var claims []Claim
	for _, partition := range partitions {
		if p := m.owner(partition); p != nil {
			claims = append(claims, Claim{Partition: partition, Epoch: p.epoch})
		}
	}
	if len(claims) == 0 {
		return
	}
	if err := m.offsets.Release(ctx, m.settings.Topic(), claims); err != nil {
		slog.Warn("partitions not released; what was not committed is handled again", "error", err)
		return
	}
	slog.Info("partitions given back", "partitions", partitions)
}

// drop forgets partitions, and what was polled of them: nothing of it can be handled or committed any more.
func (m *Member) drop(partitions []int32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, partition := range partitions {
		delete(m.owned, partition)
	}
	m.pending = slices.DeleteFunc(m.pending, func(record *kgo.Record) bool {
		return slices.Contains(partitions, record.Partition)
	})
}

// leave gives everything back and leaves the group.
func (m *Member) leave() {
	m.kafka.AllowRebalance()
	ctx, cancel := context.WithTimeout(context.Background(), 2*grace)
	defer cancel()
	if err := m.kafka.LeaveGroupContext(ctx); err != nil {
		slog.Warn("not left in good order; the group waits for our session to end", "error", err)
	}
	m.kafka.Close()
	m.giveBack(m.all()) // nothing, unless Kafka was away
}

func (m *Member) owner(partition int32) *progress {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.owned[partition]
}

func (m *Member) all() []int32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.owned))
}
