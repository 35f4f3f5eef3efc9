"""The metrics consumer's fold: counts by type, bounded, by partition."""

from __future__ import annotations

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from consumers.metrics.collector import ConsumersCollector, LogCollector
from consumers.metrics.counts import OTHER, Counts, Type
from eskit.offsets import ConsumerState, PartitionState


def shown(collector: LogCollector | ConsumersCollector) -> str:
    registry = CollectorRegistry()
    registry.register(collector)
    return generate_latest(registry).decode()


def test_types_beyond_the_bound_share_a_count() -> None:
    counts = Counts(max_types=2)
    for position, kind in enumerate(("A.Created", "B.Done", "C.Created", "D.Done", "A.Created"), 1):
        counts.add(0, position, kind[0], kind)
    assert counts.partitions[0].stored == {Type("A", "A.Created"): 2, Type("B", "B.Done"): 1, OTHER: 2}
    assert counts.partitions[0].crud == {Type("A", "A.Created"): 2, OTHER: 1}


def test_a_dropped_partition_takes_its_counts_along() -> None:
    counts = Counts()
    for number in (0, 1):
        counts.add(number, number + 1, "A", "A.Created")
    counts.drop({0})
    text = shown(LogCollector(counts, "main", lambda _: False))
    assert 'eskit_events_store_total{entity_type="A",event_type="A.Created"} 1.0' in text
    assert 'eskit_events_stream_last_id{application_id="main",partition_id="1"} 2.0' in text
    assert 'partition_id="0"' not in text
    counts.begin({1})
    assert counts.partitions[1].count == 0


def test_a_partition_that_is_read_again_is_not_shown() -> None:
    counts = Counts()
    for number in (0, 1):
        counts.add(number, number + 1, "A", "A.Created")
    text = shown(LogCollector(counts, "main", lambda number: number == 0))
    assert 'eskit_events_store_total{entity_type="A",event_type="A.Created"} 1.0' in text
    assert 'partition_id="0"' not in text


def test_consumers_by_their_committed_positions_and_offsets() -> None:
    collector = ConsumersCollector("t")
    at = "2026-01-01T00:00:00.000000Z"
    partitions = [
        PartitionState("t", 0, 10, 41, 1, "m", at),
        PartitionState("t", 1, 5, 44, 1, "m", at),
        PartitionState("t", 2, None, None, 1, "m", at),
        PartitionState("another", 0, 1000, 1000, 1, "m", at),
    ]
    collector.consumers = [ConsumerState("billing", at, at, partitions), ConsumerState("new", at, at, [])]
    text = shown(collector)
    assert 'eskit_consumers_progress{consumer_name="billing"} 44.0' in text
    assert 'eskit_consumers_consumed_count{consumer_name="billing"} 15.0' in text
    assert 'eskit_consumers_lastseen{consumer_name="billing"} 1.7672256e+09' in text
    assert 'eskit_consumers_progress{consumer_name="new"} 0.0' in text
