"""A view built a second time, from the beginning, beside the first: until it has reached that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import NamedTuple

from eskit.consumer.consumer import Consumer
from eskit.consumer.transactions.standing import Stand, Way, standing
from eskit.consumer.transactions.target import View
from eskit.errors import EskitError, NotFound, SettingsError, Unavailable
from eskit.kafka import seeking
from eskit.settings import Settings

LOOK_S = 0.2
# So near two views of one busy topic come, that neither waits for the other.
NEAR = 1000


class Pair(NamedTuple):
    """A consumer, and its copy."""

    first: Consumer
    copy: Consumer


class Seen(NamedTuple):
    """How far the copy is: records done of those in the topic; what it waits for, if it does."""

    done: int
    records: int
    behind: int
    waits_for: str


def pair(first: Consumer, name: str, schema: str) -> Pair:
    """A consumer and a copy of it. Raises SettingsError, InvalidRequest."""
    copy = first.copy(name, schema)
    for what, one, other in (
        ("name", first.name, copy.name),
        ("schema", getattr(first.transaction, "schema", ""), schema),
    ):
        if one == other:
            raise SettingsError(f"the copy needs a {what} of its own: {other} is {first.name}'s", field=what)
    return Pair(first, copy)


async def rebuild(settings: Settings, consumers: Pair, show: Callable[[Seen], None]) -> None:
    """Run the copy until it has reached the first, and stop it.

    It goes on where it stopped before. The first may run or not. Raises NotFound when the first has no view yet, and
    what ends a consumer.
    """
    async with AsyncExitStack() as stack:
        first, copy = [await stack.enter_async_context(one.view(settings)) for one in consumers]
        if first is None or copy is None:
            raise SettingsError("only views can be built beside", field="transaction")
        await standing(first)
        running = asyncio.create_task(consumers.copy.run(settings))
        looking = asyncio.create_task(_Looking(settings, consumers.copy, (first, copy), show).reached())
        try:
            await asyncio.wait([running, looking], return_when=asyncio.FIRST_COMPLETED)
        finally:
            looking.cancel()
            consumers.copy.stop()
            [_, outcome] = await asyncio.gather(running, looking, return_exceptions=True)
        running.result()
        if isinstance(outcome, asyncio.CancelledError):
            raise EskitError(f"{consumers.copy.name} was stopped before it had reached {consumers.first.name}")
        looking.result()


class _Looking:
    def __init__(
        self, settings: Settings, copy: Consumer, views: tuple[View, View], show: Callable[[Seen], None]
    ) -> None:
        self._find = partial(seeking.find, settings, settings.topic, None)
        self._copy = copy
        self._views = views
        self._show = show

    async def reached(self) -> None:
        """Return when the copy has done what the first had done at a look, and is near to where that is now."""
        goal: dict[int, int] | None = None
        while True:
            try:
                first, copy, seen = await self._look()
            except Unavailable:
                pass  # the copy itself says what is away
            else:
                self._show(seen)
                goal = goal or first
                if not Way.behind(copy, goal):
                    if seen.behind <= NEAR and not await self._wanted_back():
                        return
                    goal = first
            await asyncio.sleep(LOOK_S)

    async def _look(self) -> tuple[dict[int, int], dict[int, int], Seen]:
        way = Way(await asyncio.to_thread(self._find, "beginning"))
        ends = await asyncio.to_thread(self._find, "end")
        first = way.offsets(await standing(self._views[0]))
        copy = way.offsets(await self._stands_of_copy())
        if self._copy.runtime is not None:
            # Of records without an effect it tells the view only now and then.
            for number, worker in self._copy.runtime.workers.items():
                copy[number] = max(copy[number], worker.progress.next_offset or 0)
        records = sum(ends[number] - beginning for number, beginning in way.beginnings.items())
        done = sum(min(copy[number], ends[number]) - beginning for number, beginning in way.beginnings.items())
        return first, copy, Seen(done, records, Way.behind(copy, first), await self._waits_for())

    async def _wanted_back(self) -> bool:
        """Whether letters of the copy are to be handled again: nobody else does it."""
        workers = self._copy.runtime.workers.values() if self._copy.runtime is not None else ()
        try:
            return any([await w.parking.letters.wanted_back() for w in list(workers) if w.parking.keys])
        except Unavailable:
            return True

    async def _stands_of_copy(self) -> dict[int, Stand]:
        try:
            return await standing(self._views[1])
        except NotFound:
            return {}  # it has not begun yet

    async def _waits_for(self) -> str:
        try:
            await self._copy.check()
        except Unavailable as error:
            return error.detail
        return ""
