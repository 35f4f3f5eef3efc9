"""A way through a partition: several originators at a time, the events of each in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from eskit.consumer.delivery.frontier import Begun, Frontier
from eskit.consumer.delivery.handling import Handling
from eskit.consumer.delivery.items import Item
from eskit.consumer.delivery.one_by_one import Done
from eskit.consumer.delivery.stopping import Stopping

Lane = deque[tuple[Item, Begun]]


class Bounds(NamedTuple):
    """`width`: handlers at work at a time. `depth`: events that have begun or wait in their lane.

    `ahead`: records from the first that is not done on.
    """

    width: int
    depth: int
    ahead: int


class Lanes:
    """A lane lives as long as its originator has events here. What is done moves the offset by the frontier only."""

    def __init__(
        self,
        group: asyncio.TaskGroup,
        handling: Handling,
        frontier: Frontier,
        stopping: Stopping,
        done: Done,
        bounds: Bounds,
    ) -> None:
        """The lanes are tasks of the group: an error of one ends them all, and the group waits for them.

        `done` is told of each record that is done, in whatever order; the offset is the frontier's business.
        """
        self._group = group
        self._handling = handling
        self._frontier = frontier
        self._stopping = stopping
        self._done = done
        self._bounds = bounds
        self._lanes: dict[str, Lane] = {}
        self._inside = 0
        self._changed = asyncio.Event()

    async def take(self, items: Iterable[Item]) -> bool:
        """As Way says: it returns with the last records on their way, not done."""
        for item in items:
            if not await self._near_enough():
                return False
            begun = self._frontier.begin(item.offset, item.position)
            if not (item.calls or item.problem):
                self._end(item, begun)
            elif not await self._enter(item, begun):
                return False
        return not self._stopping.halted

    async def _near_enough(self) -> bool:
        # What is done behind an event that hangs is remembered until that one is done, also what nobody wants.
        while not self._stopping.halted and len(self._frontier) >= self._bounds.ahead:
            self._changed.clear()
            await self._changed.wait()
        return not self._stopping.halted

    async def _enter(self, item: Item, begun: Begun) -> bool:
        # A lane ends at a halt, so this ends then, too.
        while not self._stopping.halted and self._full(item.key):
            self._changed.clear()
            await self._changed.wait()
        if self._stopping.halted:
            return False
        self._inside += 1
        lane = self._lanes.get(item.key)
        if lane is None:
            lane = self._lanes[item.key] = deque()
            self._group.create_task(self._run(item.key, lane))
        lane.append((item, begun))
        return True

    def _full(self, key: str) -> bool:
        if self._inside >= self._bounds.depth:
            return True
        return key not in self._lanes and len(self._lanes) >= self._bounds.width

    async def _run(self, key: str, lane: Lane) -> None:
        while lane and not self._stopping.halted:
            item, begun = lane[0]
            if not await self._handling.one(item):
                break
            lane.popleft()
            self._inside -= 1
            self._end(item, begun)
            self._changed.set()
        del self._lanes[key]
        self._changed.set()

    def _end(self, item: Item, begun: Begun) -> None:
        self._frontier.end(begun)
        self._done(item)
