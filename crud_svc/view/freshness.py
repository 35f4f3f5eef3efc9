"""Whether the view has everything that was in the log when somebody asked; waiting until it has."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from eskit.errors import EskitError
from eventstore_svc.store import Ends

POLL_S = 0.008

Progress = Mapping[int, int]
"""Of each partition, the position of the last event that is in the view."""


def reached(ends: Ends, progress: Progress) -> bool:
    """Whether everything up to the head is in the view."""
    if ends.last is None:
        return False
    return all(progress.get(number, 0) >= last for number, last in enumerate(ends.last))


def position(ends: Ends, progress: Progress) -> int:
    """Everything up to here is in the view, for certain."""
    if ends.last is None:
        return 0
    behind = [progress.get(number, 0) for number, last in enumerate(ends.last) if progress.get(number, 0) < last]
    return min(behind, default=ends.head)


class Asking:
    """One question at a time, for all who ask: who comes while one is under way waits for the next."""

    def __init__(self, ask: Callable[[], Coroutine[Any, Any, Ends]]) -> None:
        """`ask` answers as of its call."""
        self._ask = ask
        self._running: asyncio.Task[Ends] | None = None
        self._next: asyncio.Task[Ends] | None = None

    def begin(self) -> asyncio.Future[Ends]:
        """The ends as of a moment after this call: to be awaited later, or never. Raises what `ask` raises."""
        if self._next is None:
            self._next = asyncio.create_task(self._after(self._running))
            self._next.add_done_callback(_seen)
        return asyncio.shield(self._next)

    async def ends(self) -> Ends:
        """The same, awaited."""
        return await self.begin()

    async def _after(self, running: asyncio.Task[Ends] | None) -> Ends:
        if running is not None:
            await asyncio.wait([running])
        self._running, self._next = self._next, None
        return await self._ask()


def _seen(task: asyncio.Task[Ends]) -> None:
    """That nobody awaits an answer any more is no error."""
    if not task.cancelled():
        task.exception()


class Waiting:
    """Those who wait for the view: one of them all looks, and nobody when nobody waits."""

    def __init__(self, look: Callable[[], Coroutine[Any, Any, Progress]]) -> None:
        """`look` answers how far the view is."""
        self._look = look
        self._waiters: dict[asyncio.Future[None], Ends] = {}
        self.looking: asyncio.Task[None] | None = None

    async def until(self, ends: Ends, seconds: float) -> None:
        """Return when the view has reached these ends, or when time is up. Raises what `look` raises."""
        if ends.last is None:
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiters[waiter] = ends
        if self.looking is None or self.looking.done():
            self.looking = asyncio.create_task(self._loop())
        try:
            await asyncio.wait_for(waiter, seconds)
        except TimeoutError:
            return
        finally:
            self._waiters.pop(waiter, None)

    async def close(self) -> None:
        """Stop looking."""
        if self.looking is not None:
            self.looking.cancel()
            await asyncio.gather(self.looking, return_exceptions=True)

    async def _loop(self) -> None:
        while self._waiters:
            try:
                progress = await self._look()
            except EskitError as error:
                for waiter in self._waiters:
                    if not waiter.done():
                        waiter.set_exception(type(error)(error.detail))
                return
            for waiter, ends in self._waiters.items():
                if not waiter.done() and reached(ends, progress):
                    waiter.set_result(None)
            await asyncio.sleep(POLL_S)
