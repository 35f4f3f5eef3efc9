"""One event through its handlers, as often as the policy says; then it is done, or set aside."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Sequence
from enum import Enum

from eskit import logs
from eskit.consumer.delivery.failures import failure
from eskit.consumer.delivery.items import Item
from eskit.consumer.delivery.parking import Parking
from eskit.consumer.delivery.policy import DeadLetter, Pause, Policy, Stop
from eskit.consumer.delivery.stopping import Stopping, cancelled_after_all
from eskit.consumer.errors import HandlerStopped
from eskit.consumer.stats import Stats
from eskit.errors import Fenced

log = logs.get(__name__)


class Next(Enum):
    """What follows an attempt that failed."""

    AGAIN = "again"
    ASIDE = "aside"
    LEFT = "left"


class Handling:
    """Of one partition. Every failure is exactly one of three: tried again, set aside, the end of the consumer."""

    def __init__(self, policy: Policy, parking: Parking, stats: Stats, stopping: Stopping) -> None:
        self._policy = policy
        self._parking = parking
        self._stats = stats
        self._stopping = stopping
        self._stalled: dict[str, str] = {}

    @property
    def stalled(self) -> str:
        """What fails and is tried again at the moment; empty: nothing."""
        return next(iter(self._stalled.values()), "") or self._parking.waits_for

    async def one(self, item: Item) -> bool:
        """Hand an event to each of its handlers; whether it is done (False: told to stop before that).

        A handler that has returned is not called again for another's error.
        """
        if item.problem is not None:
            return await self.unreadable(item, item.problem)
        if self._parking.holds(item):
            left = await self._parking.divert([item])
            if not left:
                return left is not None
        for call in item.calls:
            attempts = 0
            while (error := await self.attempt(call(item.record), (item,))) is not None:
                attempts += 1
                step = await self.after(item, error, attempts)
                if step is not Next.AGAIN:
                    return step is Next.ASIDE
            if self._stopping.abandoned:
                return False
        self._stats.handled += 1
        return True

    async def unreadable(self, item: Item, problem: BaseException) -> bool:
        """A record that cannot be read is set aside by itself: nothing waits behind it."""
        return await self.after(item, problem, 1) is Next.ASIDE

    async def attempt(self, call: Awaitable[None], items: Sequence[Item]) -> BaseException | None:
        """Await a call of handlers for these; what it raised. Fenced, and our own cancellation, go through."""
        began = time.perf_counter()
        try:
            await call
            cancelled_after_all()
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return error  # something that the handler waited for was cancelled, not the handler
        except Fenced:
            raise
        except Exception as error:  # noqa: BLE001 - it is decided on, never passed over
            return error
        finally:
            self._stats.handler_seconds.observe(time.perf_counter() - began)
        if self._stalled:
            for item in items:
                self._stalled.pop(item.key, None)
        return None

    def waits_out(self, error: BaseException) -> bool:
        """Whether this is no fault of an event, but passes by itself."""
        return self._policy.waits_out(error)

    async def after(self, item: Item, error: BaseException, attempts: int) -> Next:
        """Do what the policy says of an event whose handlers have raised so often. Raises HandlerStopped."""
        step = await self.judge(item, error, attempts)
        if step is not Next.ASIDE:
            return step
        stored = await self._parking.set_aside(item, failure(cause(error), attempts))
        return Next.ASIDE if stored else Next.LEFT

    async def judge(self, item: Item, error: BaseException, attempts: int) -> Next:
        """What the policy says; its pauses are over when this returns. Raises HandlerStopped."""
        if self._stopping.abandoned:
            return Next.LEFT
        self._stats.failed += 1
        decision = self._policy.decide(error, attempts)
        what = _text(item, error)
        if attempts == 1:
            log.warning("event failed", what=what, exc_info=error)
        if isinstance(decision, Stop):
            raise HandlerStopped(f"{what}. The consumer stops before it, as its policy says") from error
        if isinstance(decision, Pause):
            return await self._pause(item, what, decision.seconds)
        self._stalled.pop(item.key, None)
        return Next.ASIDE

    async def _pause(self, item: Item, what: str, seconds: float) -> Next:
        self._stalled[item.key] = what
        if await self._stopping.pause(seconds):
            return Next.LEFT
        self._stats.retried += 1
        return Next.AGAIN


def cause(error: BaseException) -> BaseException:
    """What a handler meant that raised DeadLetter because of another error."""
    return error.__cause__ if isinstance(error, DeadLetter) and error.__cause__ else error


def _text(item: Item, error: BaseException) -> str:
    if item.record is None:
        return str(error)
    event, number = item.record.event, item.record.partition
    where = f"partition {number} stalls at event {event.position} ({event.event_type} {event.originator.id})"
    return f"{where}, its handler fails: {type(error).__name__}: {str(error)[:200]}"
