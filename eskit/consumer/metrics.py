"""A consumer's metrics, taken from its state whenever Prometheus asks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from eskit.consumer.stats import Histogram

if TYPE_CHECKING:
    from eskit.consumer.consumer import Consumer

COUNTERS = {
    "handled": "Events whose handlers have returned.",
    "filtered": "Events that no handler wants.",
    "dropped": "Records dropped because their event was seen before.",
    "failed": "Calls of handlers that raised.",
    "retried": "Calls of handlers made again after that.",
    "dead_lettered": "Events set aside because they failed, or could not be read.",
    "parked": "Events set aside behind one of their originator.",
    "drained": "Events handled that had been set aside.",
    "committed": "Offsets committed, one for each partition and commit.",
    "fenced": "Commits refused because somebody else had claimed the partition.",
    "rebalances": "Times that the group gave this process partitions, or took some.",
}
HISTOGRAMS = {
    "handler_seconds": "How long calls of handlers took: of one event, or of a batch.",
    "batch_events": "How many events the batches had.",
}


@contextmanager
def registered(consumer: Consumer, registry: CollectorRegistry | None) -> Iterator[None]:
    """Show the consumer's metrics while inside."""
    if registry is None:
        yield
        return
    collector = ConsumerCollector(consumer)
    registry.register(collector)
    try:
        yield
    finally:
        registry.unregister(collector)


class ConsumerCollector(Collector):
    """Metrics named eskit_consumer_*, with the consumer's name as a label."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer

    def describe(self) -> Iterator[Metric]:
        """Nothing to register beforehand: there are no partitions yet."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """The state as of now."""
        name = self._consumer.name
        for field, text in COUNTERS.items():
            counter = CounterMetricFamily(f"eskit_consumer_{field}", text, labels=["consumer"])
            counter.add_metric([name], getattr(self._consumer.stats, field))
            yield counter
        for field, text in HISTOGRAMS.items():
            yield self._histogram(name, field, text)
        yield from self._partitions(name)

    def _histogram(self, name: str, field: str, text: str) -> Metric:
        counted: Histogram = getattr(self._consumer.stats, field)
        family = HistogramMetricFamily(f"eskit_consumer_{field}", text, labels=["consumer"])
        bounds = [*map(str, counted.bounds), "+Inf"]
        family.add_metric([name], list(zip(bounds, accumulate(counted.counts), strict=True)), counted.sum)
        return family

    def _partitions(self, name: str) -> Iterator[Metric]:
        labels = ["consumer", "partition"]
        position = GaugeMetricFamily("eskit_consumer_position", "Log position of the last event done.", labels=labels)
        stalled = GaugeMetricFamily("eskit_consumer_stalled", "1 while a handler keeps failing.", labels=labels)
        uncommitted = GaugeMetricFamily("eskit_consumer_uncommitted", "Records done, not committed.", labels=labels)
        waiting = GaugeMetricFamily("eskit_consumer_parked_keys", "Originators that wait.", labels=labels)
        lag = GaugeMetricFamily("eskit_consumer_lag", "Records to be done, as Kafka's last answer said.", labels=labels)
        late = GaugeMetricFamily(
            "eskit_consumer_lag_seconds", "How long the first record to be done has been in the topic.", labels=labels
        )
        runtime = self._consumer.runtime
        for number, worker in sorted(runtime.workers.items() if runtime else ()):
            where = [name, str(number)]
            position.add_metric(where, worker.progress.last_position)
            stalled.add_metric(where, 1 if worker.stalled else 0)
            uncommitted.add_metric(where, worker.progress.uncommitted)
            waiting.add_metric(where, worker.parking.keys)
            late.add_metric(where, worker.late_s)
            if (to_do := worker.inbox.lag(worker.progress.next_offset)) is not None:
                lag.add_metric(where, to_do)
        yield from (position, stalled, uncommitted, waiting, lag, late)
