"""The metrics consumer's counts: what a batch adds, what is shown of which partitions."""

from __future__ import annotations

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from consumers.metrics.collector import ConsumersCollector, LogCollector
from consumers.metrics.counts import Batch, PartitionCounts, Type, batch, loaded
from eskit.consumer import Record
from eskit.kafka.record import Source, decode
from eskit.offsets import ConsumerState, PartitionState
from tests.integration.consuming import stored

AT = "2026-01-01T00:00:00.000000Z"
ROWS = [(0, 7, "A", "A.Created", 3, 3), (0, 7, "other", "other", 2, 1), (1, 9, "A", "A.Created", 4, 4)]


def record(position: int, action: str) -> Record:
    return Record(decode(Source("main").record(stored(position, action=action)).value), 3, position)


def shown(collector: LogCollector | ConsumersCollector) -> str:
    registry = CollectorRegistry()
    registry.register(collector)
    return generate_latest(registry).decode()


def test_a_batch_adds_what_is_not_counted_yet() -> None:
    records = [record(4, "Created"), record(6, "Done"), record(9, "Created")]
    created, done = Type("Thing", "Thing.Created"), Type("Thing", "Thing.Done")
    assert batch(records, 0) == Batch(3, 9, {created: 2, done: 1})
    assert batch(records, 4) == Batch(3, 9, {done: 1, created: 1})
    assert batch(records, 9) is None
    assert (created.crud, done.crud) == (True, False)


def test_every_partition_asked_for_has_counts() -> None:
    found = loaded(ROWS, [0, 1, 2])
    assert found[0].stored == {Type("A", "A.Created"): 3, Type("other", "other"): 2}
    assert found[0].crud == {Type("A", "A.Created"): 3, Type("other", "other"): 1}
    assert [(p.last_position, p.count) for p in found.values()] == [(7, 5), (9, 4), (0, 0)]
    assert found[2] == PartitionCounts()


def test_only_the_partitions_of_this_process_are_shown() -> None:
    ours = {0, 1, 2}
    collector = LogCollector("main", lambda: ours)
    assert "partition_id" not in shown(collector)
    collector.loaded = loaded(ROWS, ours)
    assert 'eskit_events_store_total{entity_type="A",event_type="A.Created"} 7.0' in shown(collector)
    ours.remove(0)
    text = shown(collector)
    assert 'eskit_events_store_total{entity_type="A",event_type="A.Created"} 4.0' in text
    assert 'eskit_events_crud_total{entity_type="A",event_type="A.Created"} 4.0' in text
    assert 'eskit_events_stream_last_id{application_id="main",partition_id="1"} 9.0' in text
    assert 'eskit_events_stream_count{application_id="main",partition_id="2"} 0.0' in text
    assert 'partition_id="0"' not in text
    assert "other" not in text


def test_consumers_by_their_committed_positions_and_offsets() -> None:
    collector = ConsumersCollector("t")
    partitions = [
        PartitionState("t", 0, 10, 41, 1, "m", AT, lag_events=3, lag_s=1.5),
        PartitionState("t", 1, 5, 44, 1, "m", AT, lag_events=4, lag_s=0.0),
        PartitionState("t", 2, None, None, 1, "m", AT),
        PartitionState("another", 0, 1000, 1000, 1, "m", AT, lag_events=99, lag_s=99.0),
    ]
    collector.consumers = [
        ConsumerState("billing", AT, AT, partitions, ["m", "n"]),
        ConsumerState("new", AT, AT, []),
    ]
    text = shown(collector)
    assert 'eskit_consumers_progress{consumer_name="billing"} 44.0' in text
    assert 'eskit_consumers_consumed_count{consumer_name="billing"} 15.0' in text
    assert 'eskit_consumers_lastseen{consumer_name="billing"} 1.7672256e+09' in text
    assert 'eskit_consumers_lag_events{consumer_name="billing"} 7.0' in text
    assert 'eskit_consumers_lag_seconds{consumer_name="billing"} 1.5' in text
    assert 'eskit_consumers_members{consumer_name="billing"} 2.0' in text
    assert 'eskit_consumers_progress{consumer_name="new"} 0.0' in text
    assert 'eskit_consumers_lag_events{consumer_name="new"}' not in text


def test_an_old_list_says_nothing_of_lag() -> None:
    collector = ConsumersCollector("t")
    collector.consumers = [ConsumerState("c", AT, AT, [PartitionState("t", 0, 1, 5, 1, "m", AT, lag_events=0)], ["m"])]
    collector.away = True
    text = shown(collector)
    assert 'eskit_consumers_progress{consumer_name="c"} 5.0' in text
    assert "lag" not in text
    assert "members" not in text
