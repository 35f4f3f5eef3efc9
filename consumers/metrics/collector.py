"""The counts as Prometheus metrics, by the names that dashboards know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from consumers.metrics.counts import Counts, PartitionCounts, Type
from eskit.offsets import ConsumerState


class LogCollector(Collector):
    """What is in the partitions of this process; together the instances show each event once.

    A partition that is still being read again is left out: after a restart its counts would start from nothing and race
    up, and every rate would show events that never happened.
    """

    def __init__(self, counts: Counts, log: str, replaying: Callable[[int], bool]) -> None:
        """`log` is the log's name, the label application_id."""
        self._counts = counts
        self._log = log
        self._replaying = replaying

    def describe(self) -> Iterator[Metric]:
        """Nothing to register beforehand: there are no partitions yet."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """The state as of now."""
        shown = {p: counts for p, counts in sorted(self._counts.partitions.items()) if not self._replaying(p)}
        yield from self._streams(shown)
        labels = ["entity_type", "event_type"]
        stored = CounterMetricFamily("eskit_events_store", "Events of the log.", labels=labels)
        crud = CounterMetricFamily(
            "eskit_events_crud",
            "Events of the log with the action Created, Updated, Deleted or Restored.",
            labels=labels,
        )
        for family, counters in (
            (stored, [counts.stored for counts in shown.values()]),
            (crud, [counts.crud for counts in shown.values()]),
        ):
            total: Counter[Type] = Counter()
            for counter in counters:
                total.update(counter)
            for kind, count in sorted(total.items()):
                family.add_metric(kind, count)
            yield family

    def _streams(self, shown: dict[int, PartitionCounts]) -> Iterator[Metric]:
        labels = ["application_id", "partition_id"]
        last = GaugeMetricFamily("eskit_events_stream_last_id", "Last log position in a partition.", labels=labels)
        count = GaugeMetricFamily("eskit_events_stream_count", "Events of the log in a partition.", labels=labels)
        for number, counts in shown.items():
            last.add_metric([self._log, str(number)], counts.last_position)
            count.add_metric([self._log, str(number)], counts.count)
        yield from (last, count)


class ConsumersCollector(Collector):
    """How far each consumer of the log has come, as the offsets service said last."""

    def __init__(self, topic: str) -> None:
        """Only offsets in this topic count."""
        self.consumers: list[ConsumerState] = []
        self._topic = topic

    def describe(self) -> Iterator[Metric]:
        """Nothing to register beforehand: nobody is known yet."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """The consumers as of the last look."""
        labels = ["consumer_name"]
        progress = GaugeMetricFamily(
            "eskit_consumers_progress", "Highest log position that the consumer has committed.", labels=labels
        )
        seen = GaugeMetricFamily(
            "eskit_consumers_lastseen", "Unix time of the consumer's last claim or commit.", labels=labels
        )
        consumed = GaugeMetricFamily(
            "eskit_consumers_consumed_count",
            "Records that the consumer has done: the sum of its committed offsets over all partitions.",
            labels=labels,
        )
        for consumer in self.consumers:
            ours = [p for p in consumer.partitions if p.topic == self._topic]
            progress.add_metric([consumer.name], max((p.position or 0 for p in ours), default=0))
            seen.add_metric([consumer.name], datetime.fromisoformat(consumer.last_seen).timestamp())
            consumed.add_metric([consumer.name], sum(p.offset or 0 for p in ours))
        yield from (progress, seen, consumed)
