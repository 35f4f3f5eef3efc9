"""The worker of one partition: its records from the inbox, through the handlers, until they are done or set aside."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import NamedTuple

from confluent_kafka import Message

from eskit import logs
from eskit.consumer.config import Tuning
from eskit.consumer.delivery.batches import Batches
from eskit.consumer.delivery.catchup import CatchUp
from eskit.consumer.delivery.draining import Draining
from eskit.consumer.delivery.effects import Effects, Outside
from eskit.consumer.delivery.frontier import Frontier
from eskit.consumer.delivery.handling import Handling
from eskit.consumer.delivery.items import Intake, Item
from eskit.consumer.delivery.lanes import Bounds, Lanes
from eskit.consumer.delivery.one_by_one import OneByOne, Way
from eskit.consumer.delivery.parking import Letters, Parking
from eskit.consumer.delivery.policy import Policy
from eskit.consumer.delivery.progress import Progress
from eskit.consumer.delivery.routes import Routes
from eskit.consumer.delivery.stopping import Stopping
from eskit.consumer.group.inbox import Inbox
from eskit.consumer.stats import Stats
from eskit.consumer.transactions.effects import Inside
from eskit.consumer.transactions.target import View

log = logs.get(__name__)

# Handlers that never wait for anything must still let commits and health checks run.
RECORDS_A_TURN = 64


class Delivery(NamedTuple):
    """How events get their effect: so many originators at a time, in batches, in transactions of a view."""

    concurrency: int = 1
    batches: bool = False
    view: View | None = None


class Surroundings(NamedTuple):
    """What all workers of a consumer share. `catch_up`: in memory only. `done` is told how many records are done."""

    routes: Routes
    stats: Stats
    catch_up: CatchUp | None
    tuning: Tuning
    policy: Policy
    delivery: Delivery
    done: Callable[[int], None]


class Worker:
    """Takes records from an inbox; `progress` says how far it has come."""

    def __init__(self, progress: Progress, inbox: Inbox, around: Surroundings, letters: Letters) -> None:
        """Not started yet."""
        self.progress = progress
        self.inbox = inbox
        self._around = around
        self._stopping = Stopping()
        self._committed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._at_work: Message | None = None
        self.parking = Parking(letters, around.stats, self._stopping)
        self._handling = Handling(around.policy, self.parking, around.stats, self._stopping)
        self._effects = self._how()
        self._draining = Draining(self._effects, self._handling, self.parking, progress, around.stats, self._stopping)

    @property
    def stalled(self) -> str:
        """What fails and is tried again at the moment; empty: nothing."""
        return self._handling.stalled

    @property
    def late_s(self) -> float:
        """For how many seconds the record at work, or the next one, has been in the topic; 0: there is none."""
        message = self._at_work or self.inbox.first
        written_ms = message.timestamp()[1] if message is not None else 0
        return max(0.0, time.time() - written_ms / 1000) if written_ms else 0.0

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
        return self._stopping.halted

    def halt(self) -> None:
        """Begin no further record, and wait for nothing but the handlers at work."""
        self._stopping.halt()
        self._committed.set()
        self.inbox.close()

    def kill(self) -> None:
        """End the handlers at work, too; their events are not done."""
        self.halt()
        self._abandon()

    async def stop(self, grace_s: float) -> None:
        """Return when it stands still: the handlers at work get so much time, then they are cancelled."""
        self.halt()
        if self._task is None:
            return
        await asyncio.wait([self._task], timeout=grace_s)
        if not self._task.done():
            log.warning("handler cancelled, it took too long to end", partition=self.progress.partition)
            self._abandon()
            await asyncio.wait([self._task], timeout=grace_s)

    def _abandon(self) -> None:
        self._stopping.abandon()
        if self._task is not None:
            self._task.cancel()

    def _how(self) -> Effects:
        delivery = self._around.delivery
        if delivery.view is not None:
            return Inside(delivery.view, self.progress, batches=delivery.batches)
        return Outside(batches=delivery.batches)

    def _way(self, group: asyncio.TaskGroup) -> Way:
        delivery, tuning = self._around.delivery, self._around.tuning
        if delivery.batches or delivery.view is not None:
            return Batches(self._handling, self._effects, self.parking, self._stopping, self._around.stats, self._done)
        if delivery.concurrency > 1:
            bounds = Bounds(delivery.concurrency, tuning.queue_events, tuning.window)
            return Lanes(group, self._handling, Frontier(self.progress), self._stopping, self._seen, bounds)
        return OneByOne(self._handling, self._stopping, self._done)

    async def _run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._draining.run())
                await self._work(self._way(group))
                self._stopping.halt()
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from several

    async def _work(self, way: Way) -> None:
        intake = Intake(self._around.routes, self._around.stats, self.progress)
        tuning = self._around.tuning
        together = self._around.delivery.batches or self._around.delivery.view is not None
        most, wait_s = (tuning.batch_events, tuning.batch_wait_s) if together else (RECORDS_A_TURN, 0.0)
        while messages := await self.inbox.take(min(most, self._room()), wait_s):
            async with self._draining.turn:
                self._at_work = messages[0]
                if not await way.take(map(intake.item, messages)):
                    return
                self._at_work = None
            self._around.done(len(messages))
            await asyncio.sleep(0)
            await self._window()

    async def _window(self) -> None:
        """Not too far ahead of what is committed."""
        while self._room() <= 0 and not self.stopped:
            self._committed.clear()
            await self._committed.wait()

    def _room(self) -> int:
        """How many records more may be done before a commit; a view moves its own offset."""
        tuning = self._around.tuning
        return tuning.window if self._around.delivery.view is not None else tuning.window - self.progress.uncommitted

    def _done(self, item: Item) -> None:
        self.progress.done(item.offset, item.position)
        self._seen(item)

    def _seen(self, item: Item) -> None:
        catch_up = self._around.catch_up
        if catch_up is not None and not item.seen_before and item.position:
            catch_up.seen(self.progress.partition, item.position)
