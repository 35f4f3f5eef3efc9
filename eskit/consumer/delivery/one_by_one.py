"""A way through a partition, the plainest: an event begins when the one before is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from eskit.consumer.delivery.handling import Handling
from eskit.consumer.delivery.items import Item
from eskit.consumer.delivery.stopping import Stopping

Done = Callable[[Item], None]


class Way(Protocol):
    """How the events of a partition are worked off."""

    async def take(self, items: Iterable[Item]) -> bool:
        """Work on records, in their order; returns when more may come. False: told to stop before that."""


class OneByOne:
    """Nothing at the same time."""

    def __init__(self, handling: Handling, stopping: Stopping, done: Done) -> None:
        """`done` is told of each record that is done, in order."""
        self._handling = handling
        self._stopping = stopping
        self._done = done

    async def take(self, items: Iterable[Item]) -> bool:
        """As Way says."""
        for item in items:
            if (item.calls or item.problem) and not await self._handling.one(item):
                return False
            self._done(item)
            if self._stopping.halted:
                return False
        return True
