"""What was set aside and is wanted back: handled in its order, then its originator flows again."""

from __future__ import annotations

import asyncio
from functools import partial

from eskit import logs
from eskit.consumer.delivery.effects import Effects
from eskit.consumer.delivery.failures import failure
from eskit.consumer.delivery.handling import Handling, Next, cause
from eskit.consumer.delivery.items import Item
from eskit.consumer.delivery.parking import Parking
from eskit.consumer.delivery.progress import Progress
from eskit.consumer.delivery.stopping import Stopping
from eskit.consumer.stats import Stats
from eskit.errors import Unavailable
from eskit.letters import UNREADABLE

log = logs.get(__name__)

LOOK_S = 1.0


class Draining:
    """Of one partition. It takes turns with new events: so many handlers at a time, and no more."""

    def __init__(
        self,
        effects: Effects,
        handling: Handling,
        parking: Parking,
        progress: Progress,
        stats: Stats,
        stopping: Stopping,
    ) -> None:
        self._effects = effects
        self._handling = handling
        self._parking = parking
        self._progress = progress
        self._stats = stats
        self._stopping = stopping
        self.turn = asyncio.Lock()

    async def run(self) -> None:
        """Look now and then as long as anything is set aside, until told to stop. Raises Fenced, HandlerStopped."""
        while not await self._stopping.pause(LOOK_S):
            if not self._parking.keys:
                continue
            try:
                for key in await self._parking.letters.wanted_back():
                    await self._drain(key)
            except Unavailable as error:
                log.warning("letters cannot be asked for", error=error.detail)

    async def _drain(self, key: str) -> None:
        above = -1
        while items := await self._parking.letters.first(key, above):
            for item in items:
                if item.offset >= (self._progress.next_offset or 0):
                    return  # after a restart the partition comes by it once more; until then it waits
                went_well = await self._again(key, item)
                if self._stopping.halted or not (went_well or key == UNREADABLE):
                    return
                above = item.offset
        await self._parking.release(key)

    async def _again(self, key: str, item: Item) -> bool:
        """Whether it has had its effect; if not, it waits on, with its new failure."""
        attempts = 0
        while (error := await self._attempt(item)) is not None:
            attempts += 1
            step = await self._handling.judge(item, error, attempts)
            if step is Next.ASIDE:
                found = failure(cause(error), attempts)
                await self._parking.patiently(partial(self._parking.letters.failed, key, item.offset, found))
            if step is not Next.AGAIN:
                return False
        self._stats.drained += 1
        return await self._parking.patiently(partial(self._parking.letters.done, key, item.offset))

    async def _attempt(self, item: Item) -> BaseException | None:
        if item.problem is not None:
            return item.problem
        # The turn is for one attempt: others do not wait for the pauses between.
        async with self.turn:
            return await self._handling.attempt(self._effects.redo(item), [item])
