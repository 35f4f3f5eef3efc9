"""A way through a partition: many events in one call, or in one transaction."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from eskit.consumer.delivery.effects import Effects
from eskit.consumer.delivery.handling import Handling, Next
from eskit.consumer.delivery.items import Item
from eskit.consumer.delivery.one_by_one import Done
from eskit.consumer.delivery.parking import Parking
from eskit.consumer.delivery.stopping import Stopping
from eskit.consumer.stats import Stats


class Batches:
    """What is there makes a batch. One that fails is halved, until the event that it fails for stands alone."""

    def __init__(
        self, handling: Handling, effects: Effects, parking: Parking, stopping: Stopping, stats: Stats, done: Done
    ) -> None:
        """`done` is told of each record that is done, in order."""
        self._handling = handling
        self._effects = effects
        self._parking = parking
        self._stopping = stopping
        self._stats = stats
        self._done = done
        self._open: deque[Item] = deque()

    async def take(self, items: Iterable[Item]) -> bool:
        """As Way says."""
        self._open = deque(items)
        if not self._open:
            return True
        for item in self._open:
            if item.problem is not None and not await self._handling.unreadable(item, item.problem):
                return False
        wanted = [item for item in self._open if item.calls]
        return await self._apply(wanted, self._open[-1].offset + 1) and not self._stopping.halted

    async def _apply(self, items: Sequence[Item], next_offset: int) -> bool:
        """Have their effect, and then everything below `next_offset` is done. False: told to stop before that."""
        attempts = 0
        while not self._stopping.halted or attempts == 0:
            left = await self._parking.divert(items)
            if left is None:
                return False
            items = left
            # With nothing to do but to move the offset, no event is to blame; one stands for those that are passed.
            blamed = items or [self._open[0]]
            call = self._effects.apply(items, next_offset, self._position(next_offset))
            error = await self._handling.attempt(call, blamed)
            if error is None:
                return self._applied(items, next_offset)
            if not items and not self._handling.waits_out(error):
                raise error
            if len(items) > 1 and not self._handling.waits_out(error):
                middle = len(items) // 2
                first = await self._apply(items[:middle], items[middle].offset)
                return first and await self._apply(items[middle:], next_offset)
            attempts += 1
            step = await self._handling.after(blamed[0], error, attempts)
            if step is Next.LEFT:
                return False
            if step is Next.ASIDE:
                items = ()
        return False

    def _position(self, next_offset: int) -> int | None:
        """The highest log position below an offset, also of what was set aside: should it come again, it is known."""
        return max((item.position for item in self._open if item.offset < next_offset), default=0) or None

    def _applied(self, items: Sequence[Item], next_offset: int) -> bool:
        if self._stopping.abandoned:
            return False
        self._stats.handled += len(items)
        if items:
            self._stats.batch_events.observe(len(items))
        while self._open and self._open[0].offset < next_offset:
            self._done(self._open.popleft())
        return True
