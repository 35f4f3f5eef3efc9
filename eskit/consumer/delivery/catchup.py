"""Has this process seen the whole log up to a position? A matter of counting: positions are 1..N without holes."""

from __future__ import annotations

import asyncio


class _Waiter:
    """Counts the positions up to its target, for each partition apart, so that one can be taken away again."""

    def __init__(self, target: int, counts: dict[int, int]) -> None:
        self.target = target
        self.counts = counts
        self.reached = asyncio.Event()

    def look(self) -> None:
        if sum(self.counts.values()) >= self.target:
            self.reached.set()


class CatchUp:
    """Counts the events seen in each partition; duplicates are not reported, so each position counts once."""

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}
        self._highest = 0
        self._waiters: list[_Waiter] = []

    def seen(self, partition: int, position: int) -> None:
        """An event was handled, or filtered out."""
        self._seen[partition] = self._seen.get(partition, 0) + 1
        self._highest = max(self._highest, position)
        for waiter in self._waiters:
            if position <= waiter.target:
                waiter.counts[partition] = waiter.counts.get(partition, 0) + 1
                waiter.look()

    def dropped(self, partition: int) -> None:
        """A partition was given up: what it had contributed is forgotten with it."""
        self._seen.pop(partition, None)
        for waiter in self._waiters:
            waiter.counts.pop(partition, None)

    async def reached(self, head: int) -> None:
        """Return when every position from 1 to `head` has been seen.

        Events above `head` may have been seen already, and nobody remembers which; then the target is the highest of
        them: as many positions as its number means all of them.
        """
        waiter = _Waiter(max(head, self._highest), dict(self._seen))
        waiter.look()
        self._waiters.append(waiter)
        try:
            await waiter.reached.wait()
        finally:
            self._waiters.remove(waiter)
