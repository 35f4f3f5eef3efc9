package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	commitEvery  = time.Second // offsets are committed this often …
	commitEvents = 1000        // … or after so many records
	refreshEvery = 30 * time.Second
	pollRecords  = 500
	grace        = 10 * time.Second // for the last commit of partitions that are given back
)

// ErrFenced says that somebody else has claimed a partition that the group, as far as we know, gives to us.
var ErrFenced = errors.New("fenced")

// Handler makes an event's effect. Called again with the same event when it fails, and after a crash: let the effect be
// one that can be repeated. Its context ends when a rebalance waits, or the program is to stop.
type Handler func(context.Context, *kgo.Record, Event) error

// Member is one membership in the consumer group, from joining it to leaving it.
//
// One goroutine, that of Run, polls, handles and commits. franz-go's callbacks run on others, but never while Run is
// between a poll and AllowRebalance; only claim does, so owned has a lock.
type Member struct {
	settings Settings
	name     string // for people: who has a partition
	wanted   Selector
	handle   Handler
	offsets  *Offsets
	kafka    *kgo.Client

	mu        sync.Mutex
	owned     map[int32]*progress
	interrupt context.CancelFunc // ends the turn at work

	pending []*kgo.Record // polled, not handled yet
	done    int           // records since the last commit
	heard   time.Time     // when the offsets service last heard of us
	fatal   context.CancelCauseFunc

	// Only for Run's goroutine, since it looks at them before it polls.
	due  time.Time // when to commit
	busy bool      // whether there were pending records at the end of the last turn
}

// Run consumes until stopped ends (nil), until a partition is fenced (ErrFenced), or until going on would skip events.
// In each case what is done is committed, and the group is left.
func (m *Member) Run(stopped context.Context) error {
	ctx, fatal := context.WithCancelCause(stopped)
	defer fatal(nil)
	m.fatal = fatal
	m.owned, m.interrupt = map[int32]*progress{}, func() {}
	kafka, err := kgo.NewClient(m.options()...)
	if err != nil {
		return err
	}
	m.kafka = kafka
	defer m.leave()
	for ctx.Err() == nil {
		if err := m.turn(ctx); err != nil {
			return err
		}
	}
	if stopped.Err() != nil {
		return nil
	}
	return context.Cause(ctx)
}

func (m *Member) options() []kgo.Opt {
	return []kgo.Opt{
		kgo.SeedBrokers(m.settings.Brokers...),
		kgo.ClientID("eskit-" + m.settings.Consumer),
		kgo.WithLogger(kgo.BasicLogger(os.Stderr, kgo.LogLevelWarn, nil)),
		kgo.ConsumerGroup(m.settings.Group()),
		kgo.ConsumeTopics(m.settings.Topic()),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.SessionTimeout(10 * time.Second), // a killed member delays its partitions by this
		kgo.HeartbeatInterval(time.Second),
		kgo.MetadataMaxAge(5 * time.Second), // a topic that is not there yet is found so soon
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		// Offsets are the offsets service's business. One that the topic does not have is an error, never a jump.
		kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.AdjustFetchOffsetsFn(m.claim),
		kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsCallbackBlocked(func(context.Context, *kgo.Client) { m.hurry() }),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, gone map[string][]int32) {
			m.giveBack(gone[m.settings.Topic()])
		}),
		// These may be somebody else's already: commit nothing.
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, gone map[string][]int32) {
			m.drop(gone[m.settings.Topic()])
		}),
	}
}

// claim is called when the group has given us partitions, before anything of them is fetched: start holds where Kafka
// would begin. It may take as long as the offsets service is away, since heartbeats go on meanwhile; ctx ends when the
// next rebalance begins, and then the same partitions come again, or are not ours.
func (m *Member) claim(ctx context.Context, start map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	topic := m.settings.Topic()
	var partitions []int32
	for partition := range start[topic] {
		partitions = append(partitions, partition)
	}
	slices.Sort(partitions)
	topicID, err := m.topicID(ctx)
	if err != nil {
		return nil, err // franz-go joins again, after a pause
	}
	claims, err := m.offsets.Claim(ctx, topic, topicID, m.name, partitions)
	if err != nil {
		m.failUnlessAway(err)
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, claim := range claims {
		m.owned[claim.Partition] = newProgress(claim)
		from := kgo.NewOffset().AtStart()
		if claim.Offset != nil {
			from = kgo.NewOffset().At(*claim.Offset)
		}
		start[topic][claim.Partition] = from
	}
	slog.Info("partitions claimed", "partitions", partitions)
	return start, nil
}

// topicID is Kafka's id of the topic as a UUID: offsets of a topic that was made anew mean nothing.
func (m *Member) topicID(ctx context.Context) (string, error) {
	details, err := kadm.NewClient(m.kafka).ListTopics(ctx, m.settings.Topic())
	if err != nil {
		return "", err
	}
	id := details[m.settings.Topic()].ID
	if id == (kadm.TopicID{}) {
		return "", details.Error() // nil: brokers without ids
	}
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:]), nil
}

// turn polls, handles and commits once. It holds rebalances up, so it ends early when one waits.
func (m *Member) turn(ctx context.Context) error {
	turn, end := context.WithCancel(ctx)
	defer end()
	m.mu.Lock()
	m.interrupt = end
	m.mu.Unlock()

	wait := max(0, time.Until(m.due))
	if m.busy {
		wait = 0 // franz-go fetches nothing then, but still lets callbacks pass first and holds up later ones
	}
	poll, stop := context.WithTimeout(turn, wait)
	fetches := m.kafka.PollRecords(poll, pollRecords)
	stop()
	defer m.kafka.AllowRebalance()
	if err := unreadable(fetches); err != nil {
		return err
	}
	m.pending = append(m.pending, fetches.Records()...)
	for len(m.pending) > 0 && m.done < commitEvents && turn.Err() == nil {
		done, err := m.work(turn, m.pending[0])
		if err != nil {
			return err
		}
		if done {
			m.pending = m.pending[1:]
			m.done++
		}
	}
	m.busy = len(m.pending) > 0
	if turn.Err() != nil || m.done < commitEvents && time.Now().Before(m.due) {
		return nil
	}
	m.due = time.Now().Add(commitEvery)
	return m.commit(turn, m.all())
}

func (m *Member) hurry() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.interrupt()
}

func (m *Member) failUnlessAway(err error) {
	if problem, refused := errors.AsType[*Problem](err); refused {
		m.fatal(problem)
	}
}

// unreadable is an error that franz-go does not get over by itself.
func unreadable(fetches kgo.Fetches) error {
	for _, failed := range fetches.Errors() {
		_, lost := errors.AsType[*kgo.ErrDataLoss](failed.Err)
		if lost || errors.Is(failed.Err, kerr.OffsetOutOfRange) {
			return fmt.Errorf("%s %d: the committed offset is not in the topic: %w", failed.Topic, failed.Partition, failed.Err)
		}
		_, outside := errors.AsType[*kgo.ErrGroupSession](failed.Err) // franz-go has logged it, and joins again
		if !outside && !errors.Is(failed.Err, context.Canceled) && !errors.Is(failed.Err, context.DeadlineExceeded) {
			slog.Warn("not fetched", "topic", failed.Topic, "partition", failed.Partition, "error", failed.Err)
		}
	}
	return nil
}
