"""The counts as Prometheus metrics, by the names that dashboards know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from consumers.metrics.counts import PartitionCounts, Type
from eskit.offsets import ConsumerState, PartitionState

CONSUMER = ["consumer_name"]


class LogCollector(Collector):
    """What is in the partitions of this process; together the instances show each event once."""

    def __init__(self, log: str, partitions: Callable[[], set[int]]) -> None:
        """`log`: the log's name, the label application_id. `partitions`: those that this process has now."""
        self.loaded: dict[int, PartitionCounts] = {}
        self._log = log
        self._partitions = partitions

    def describe(self) -> Iterator[Metric]:
        """Nothing to register beforehand: there are no partitions yet."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """The state as of now."""
        ours = self._partitions()
        shown = {p: counts for p, counts in sorted(self.loaded.items()) if p in ours}
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
        # The list is an old one: what a consumer has done stays true, how far it is behind does not.
        self.away = False
        self._topic = topic

    def describe(self) -> Iterator[Metric]:
        """Nothing to register beforehand: nobody is known yet."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """The consumers as of the last look."""
        yield from self._done()
        if not self.away:
            yield from self._behind()

    def _done(self) -> Iterator[Metric]:
        progress = GaugeMetricFamily(
            "eskit_consumers_progress", "Highest log position that the consumer has committed.", labels=CONSUMER
        )
        seen = GaugeMetricFamily(
            "eskit_consumers_lastseen", "Unix time of the consumer's last claim or commit.", labels=CONSUMER
        )
        consumed = GaugeMetricFamily(
            "eskit_consumers_consumed_count",
            "Records that the consumer has done: the sum of its committed offsets over all partitions.",
            labels=CONSUMER,
        )
        for consumer in self.consumers:
            ours = self._ours(consumer)
            progress.add_metric([consumer.name], max((p.position or 0 for p in ours), default=0))
            seen.add_metric([consumer.name], datetime.fromisoformat(consumer.last_seen).timestamp())
            consumed.add_metric([consumer.name], sum(p.offset or 0 for p in ours))
        yield from (progress, seen, consumed)

    def _behind(self) -> Iterator[Metric]:
        events = GaugeMetricFamily(
            "eskit_consumers_lag_events", "Records that the consumer has yet to do, where known.", labels=CONSUMER
        )
        seconds = GaugeMetricFamily(
            "eskit_consumers_lag_seconds",
            "For how long the oldest record that the consumer has yet to do has been there, where known.",
            labels=CONSUMER,
        )
        members = GaugeMetricFamily(
            "eskit_consumers_members",
            "Processes that have partitions of the consumer and were heard of within a minute.",
            labels=CONSUMER,
        )
        for consumer in self.consumers:
            ours = self._ours(consumer)
            if lags := [p.lag_events for p in ours if p.lag_events is not None]:
                events.add_metric([consumer.name], sum(lags))
            if times := [p.lag_s for p in ours if p.lag_s is not None]:
                seconds.add_metric([consumer.name], max(times))
            members.add_metric([consumer.name], len(consumer.members))
        yield from (events, seconds, members)

    def _ours(self, consumer: ConsumerState) -> list[PartitionState]:
        return [p for p in consumer.partitions if p.topic == self._topic]
