"""The events of one partition that were set aside: which originators wait, and how an event gets there.

After an event of an originator was set aside, its later ones are set aside behind it, in their order; so nothing of it
is handled past the one that failed, and nobody else waits. The letters are kept with the offsets, and go with the
partition.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import NamedTuple, Protocol

from eskit import logs
from eskit.consumer.delivery.failures import Failure
from eskit.consumer.delivery.items import Item
from eskit.consumer.delivery.stopping import Stopping
from eskit.consumer.stats import Stats
from eskit.errors import Unavailable

log = logs.get(__name__)

RETRY_S = 1.0


class Aside(NamedTuple):
    """An event to be set aside. Without a failure it waits behind another of its originator."""

    item: Item
    failure: Failure | None


class Letters(Protocol):
    """The letters of one partition, by one claim: each call that changes them raises Fenced after a newer claim."""

    async def parked(self) -> dict[str, int]:
        """The originators that wait, each with the offset of its first letter."""

    async def wanted_back(self) -> list[str]:
        """The originators whose letters somebody wants to be handled again."""

    async def add(self, letters: Sequence[Aside]) -> None:
        """Set aside; one that is there already stays as it is, but for a new failure."""

    async def first(self, key: str, above: int) -> list[Item]:
        """The first letters of an originator with offsets above this one, in order, as records; empty: no more."""

    async def done(self, key: str, offset: int) -> None:
        """A letter's effect is done: forget it."""

    async def failed(self, key: str, offset: int, failure: Failure) -> None:
        """A letter has failed again: its originator goes on waiting."""

    async def unpark(self, key: str) -> bool:
        """Let an originator go; False as long as there are letters of it."""


class Parking:
    """Of one partition."""

    def __init__(self, letters: Letters, stats: Stats, stopping: Stopping) -> None:
        """Empty until `load`."""
        self.letters = letters
        self.waits_for = ""
        self._stats = stats
        self._stopping = stopping
        self._first: dict[str, int] = {}
        # Held while letters come or an originator goes: it must not go between a look at it and a letter more.
        self.moving = asyncio.Lock()

    async def load(self) -> None:
        """Learn who waits. Raises Unavailable."""
        self._first = await self.letters.parked()

    @property
    def keys(self) -> int:
        """Originators that wait."""
        return len(self._first)

    def holds(self, item: Item) -> bool:
        """Whether an event waits behind another of its originator."""
        if not self._first:
            return False
        # What stands before the one that failed is handled as ever, also when it comes again after a restart.
        first = self._first.get(item.key)
        return first is not None and item.offset >= first

    async def divert(self, items: Sequence[Item]) -> Sequence[Item] | None:
        """Set aside those that wait behind others; the rest. None: told to stop before that."""
        async with self.moving:
            behind = [item for item in items if self.holds(item)]
            if behind and not await self._add([Aside(item, None) for item in behind]):
                return None
        self._stats.parked += len(behind)
        return [item for item in items if not self.holds(item)] if behind else items

    async def set_aside(self, item: Item, failure: Failure) -> bool:
        """An event has failed; its originator waits from now on. False: told to stop before that."""
        async with self.moving:
            if not await self._add([Aside(item, failure)]):
                return False
            self._first[item.key] = min(item.offset, self._first.get(item.key, item.offset))
        self._stats.dead_lettered += 1
        log.warning("event set aside", key=item.key, offset=item.offset, error_type=failure.error_type,
                    traceback_hash=failure.traceback_hash, attempts=failure.attempts)  # fmt: skip
        return True

    async def release(self, key: str) -> bool:
        """Let an originator go, unless letters have come meanwhile. Raises Fenced, Unavailable."""
        async with self.moving:
            if not await self.letters.unpark(key):
                return False
            self._first.pop(key, None)
        log.info("originator flows again", key=key)
        return True

    async def _add(self, letters: Sequence[Aside]) -> bool:
        return await self.patiently(partial(self.letters.add, letters))

    async def patiently(self, call: Callable[[], Awaitable[None]]) -> bool:
        """Do it, however long what it needs is away; False: told to stop before that. Raises Fenced."""
        while True:
            try:
                await call()
            except Unavailable as error:
                self.waits_for = f"events cannot be set aside: {error.detail}"
                if await self._stopping.pause(RETRY_S):
                    return False
            else:
                self.waits_for = ""
                return True
