"""How the end of a partition has moved: samples that say since when a record is there. Nothing here asks anybody."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import NamedTuple

MAX_SAMPLES = 1024


class Lag(NamedTuple):
    """Records between an offset and the end; for how many seconds the first of them is there (None: not known)."""

    events: int
    seconds: float | None


class Ends:
    """The ends of one partition, as they were seen. The older, the fewer are kept.

    Times are seconds of any clock that only goes forward.
    """

    def __init__(self) -> None:
        self.low = 0
        self._times = array("d")
        self._highs = array("q")

    def seen(self, at: float, high: int) -> None:
        """The partition ended at `high`. An end that went back means another topic of the same name."""
        if self._highs and high < self._highs[-1]:
            del self._times[:], self._highs[:]
        if not self._highs or high > self._highs[-1]:
            self._times.append(at)
            self._highs.append(high)
        if len(self._highs) > MAX_SAMPLES:
            # Not the first: what it ends with was there before.
            del self._times[1 : MAX_SAMPLES // 2 : 2], self._highs[1 : MAX_SAMPLES // 2 : 2]

    def next_record(self, offset: int) -> int:
        """The first record from an offset on: older ones may be gone."""
        return max(offset, self.low)

    def lag(self, offset: int, now: float) -> Lag:
        """Of a consumer whose next record is at `offset`."""
        first = self.next_record(offset)
        events = self._highs[-1] - first if self._highs else 0
        if events <= 0:
            return Lag(0, 0.0)
        passed = bisect_right(self._highs, first)  # the first sample whose end is after it
        return Lag(events, now - self._times[passed] if passed else None)
