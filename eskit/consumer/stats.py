"""What a consumer counts."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

# Upper bounds in seconds: from a handler that only computes to one that waits for somebody.
BOUNDS_S = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0)
BOUNDS_EVENTS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)


class Histogram:
    """Counts values by their size. A metrics library's own costs more than many a handler."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        """Upper bounds of the buckets, rising; what is above the last is counted too."""
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """One more."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


@dataclass
class Stats:
    """Plain numbers: one for each event would cost too much in a metrics library. Over the life of the process."""

    handled: int = 0  # events whose handlers have returned
    filtered: int = 0  # events that no handler wants
    dropped: int = 0  # duplicates
    failed: int = 0  # calls of handlers that raised
    retried: int = 0  # calls made again after that
    dead_lettered: int = 0  # events set aside because they failed
    parked: int = 0  # events set aside behind one of their originator
    drained: int = 0  # events handled that had been set aside
    committed: int = 0  # commits that the offsets service took, one for each partition
    fenced: int = 0  # commits that it refused: somebody else had claimed the partition
    rebalances: int = 0  # times that the group gave partitions or took some
    handler_seconds: Histogram = field(default_factory=lambda: Histogram(BOUNDS_S))
    batch_events: Histogram = field(default_factory=lambda: Histogram(BOUNDS_EVENTS))
