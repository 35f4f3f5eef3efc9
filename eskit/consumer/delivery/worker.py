"""The worker of one partition: its records one after the other, each until its handlers have returned."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import NamedTuple

from confluent_kafka import Message

from eskit import logs
from eskit.consumer.config import Tuning
from eskit.consumer.delivery.catchup import CatchUp
from eskit.consumer.delivery.progress import Progress
from eskit.consumer.delivery.routes import Call, Record, Routes
from eskit.consumer.group.inbox import Inbox
from eskit.consumer.stats import Stats
from eskit.kafka import record

log = logs.get(__name__)

# Handlers that never wait for anything must still let commits and health checks run.
YIELD_EVERY = 64


class Surroundings(NamedTuple):
    """What all workers of a consumer share. `done` is called after each record."""

    routes: Routes
    stats: Stats
    catch_up: CatchUp
    tuning: Tuning
    done: Callable[[], None]


class Worker:
    """Handles the records of an inbox; `progress` says how far it has come.

    Every error is exactly one of two: a handler's is tried again for ever, in place; a record's ends the consumer.
    """

    def __init__(self, progress: Progress, inbox: Inbox, around: Surroundings) -> None:
        """Not started yet."""
        self.progress = progress
        self.inbox = inbox
        self.stalled = ""
        self._around = around
        self._stopping = asyncio.Event()
        self._committed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        # The handler at work was cancelled. Whatever it makes of that: the event is not done, nothing follows it.
        self._abandoned = False

    def start(self, ended: Callable[[asyncio.Task[None]], None]) -> None:
        """Begin; `ended` is called with the task at its end."""
        self._task = asyncio.create_task(self._run(), name=f"partition {self.progress.partition}")
        self._task.add_done_callback(ended)

    def committed(self) -> None:
        """Some of what was done is committed now: go on if the window was full."""
        self._committed.set()

    @property
    def stopped(self) -> bool:
        """Whether it was told to stop."""
        return self._stopping.is_set()

    def halt(self) -> None:
        """Begin no further record, and wait for nothing but the handler at work."""
        self._stopping.set()
        self._committed.set()
        self.inbox.close()

    def kill(self) -> None:
        """End the handler at work, too; its event is not done."""
        self.halt()
        self._abandon()

    async def stop(self, grace_s: float) -> None:
        """Return when it stands still: the handler at work gets so much time, then it is cancelled."""
        self.halt()
        if self._task is None:
            return
        await asyncio.wait([self._task], timeout=grace_s)
        if not self._task.done():
            log.warning("handler cancelled, it took too long to end", partition=self.progress.partition)
            self._abandon()
            await asyncio.wait([self._task], timeout=grace_s)

    def _abandon(self) -> None:
        self._abandoned = True
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        count = 0
        while (message := await self.inbox.get()) is not None:
            if not await self._one(message):
                return
            self._around.done()
            count += 1
            if count % YIELD_EVERY == 0:
                await asyncio.sleep(0)
            while self.progress.uncommitted >= self._around.tuning.window and not self.stopped:
                self._committed.clear()
                await self._committed.wait()

    async def _one(self, message: Message) -> bool:
        """Whether the record is done; False: told to stop before that."""
        progress, stats = self.progress, self._around.stats
        offset = message.offset() or 0
        try:
            position = record.position(message.value() or b"")
            if not progress.is_new(position):
                stats.dropped += 1
                progress.done(offset, position)
                return True
            calls, found = self._wanted(message, offset)
        except record.UndecodableRecord as error:
            where = f"{progress.topic} partition {progress.partition} offset {offset}"
            detail = f"{where}: {error.detail}. The consumer stops here: going on would skip it without a word"
            raise record.UndecodableRecord(detail) from error
        if found is None:
            stats.filtered += 1
        elif await self._handle(calls, found):
            stats.handled += 1
        else:
            return False
        progress.done(offset, position)
        self._around.catch_up.seen(progress.partition, position)
        return True

    def _wanted(self, message: Message, offset: int) -> tuple[tuple[Call, ...], Record | None]:
        """The handlers for a record, and the record for them; the headers tell without decoding when there are none."""
        kind = record.event_type(message.headers())  # type: ignore[arg-type]  # a list of pairs
        if kind is not None and not self._around.routes.of(*kind):
            return (), None
        event = record.decode(message.value())
        calls = self._around.routes.of(event.entity_type, event.action)
        return calls, Record(event, self.progress.partition, offset) if calls else None

    async def _handle(self, calls: tuple[Call, ...], found: Record) -> bool:
        """Call each handler until it returns. A handler that has returned is not called again for another's error."""
        for call in calls:
            pause_s = self._around.tuning.retry_least_s
            while error := await self._attempt(call, found):
                self._say_stalled(found, error, pause_s)
                # Jitter: partitions that fail for one reason must not all come back at one moment.
                if await self._pause(random.uniform(pause_s / 2, pause_s)):  # noqa: S311 - keeps no secret
                    return False
                pause_s = min(pause_s * 2, self._around.tuning.retry_most_s)
            if self._abandoned:
                return False
            self.stalled = ""
        return True

    async def _attempt(self, call: Call, found: Record) -> BaseException | None:
        try:
            await call(found)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return error  # something that the handler waited for was cancelled, not the handler
        except Exception as error:
            if not self.stalled:
                log.exception("handler failed", partition=found.partition, position=found.event.position)
            return error
        return None

    def _say_stalled(self, found: Record, error: BaseException, pause_s: float) -> None:
        self._around.stats.failed += 1
        event = found.event
        what = f"{type(error).__name__}: {str(error)[:200]}"
        at = f"event {event.position} ({event.event_type} {event.originator.id})"
        self.stalled = f"partition {found.partition} stalls at {at}, its handler fails: {what}"
        log.warning("partition stalls", partition=found.partition, position=event.position, retry_s=round(pause_s, 1))

    async def _pause(self, seconds: float) -> bool:
        """Wait; whether it was told to stop meanwhile."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return False
        return True
