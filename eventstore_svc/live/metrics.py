"""What the feed counts, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from eventstore_svc.live.feed import Feed


class FeedMetrics(Collector):
    """Reads the counts when they are asked for."""

    def __init__(self, feed: Feed) -> None:
        """Of one feed."""
        self._feed = feed

    def collect(self) -> Iterator[Metric]:
        """As Prometheus takes them."""
        yield GaugeMetricFamily(
            "eskit_eventstore_waiting_readers", "Readers that wait for new events.", self._feed.waiting
        )
        yield CounterMetricFamily(
            "eskit_eventstore_live_events_total", "Events given to waiting readers.", self._feed.delivered
        )
        yield CounterMetricFamily(
            "eskit_eventstore_cut_readers_total", "Live tails that were cut because nobody read them.", self._feed.cut
        )
