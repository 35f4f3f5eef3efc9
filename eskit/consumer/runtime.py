"""One run of a consumer on the event loop: from joining the group to leaving it."""

from __future__ import annotations

import asyncio
import random

import psycopg
import psycopg_pool

from eskit import logs
from eskit.consumer.assignment import Assignment, Plan
from eskit.consumer.delivery.worker import Surroundings, Worker
from eskit.consumer.group.bridge import Callbacks
from eskit.consumer.life import Life, to_its_end
from eskit.consumer.means import Means
from eskit.consumer.transactions.target import View
from eskit.consumer.until import Head
from eskit.errors import Unavailable

log = logs.get(__name__)

# Between two looks whether the view's database is there.
VIEW_S = 2.0


class Runtime:
    """Lives for one `Consumer.run`. All state is the event loop's; the Kafka thread comes in by callbacks only."""

    def __init__(self, plan: Plan, means: Means, around: Surroundings) -> None:
        """Made on the event loop."""
        self._life = Life()
        self._plan = plan
        self._view = around.delivery.view
        self._joined = False
        self._away = ""
        self._assignment = Assignment(plan, means, around, self._life)
        self.commits = self._assignment.commits
        within_s = around.tuning.handover_s
        ours = self._assignment
        self.group = means.group(Callbacks(ours.assigned, ours.revoked, ours.lost, self._life.fail, within_s))
        ours.group = self.group
        self.head = Head(means.seek)

    @property
    def workers(self) -> dict[int, Worker]:
        """The partitions that are ours now."""
        return self._assignment.workers

    def stop(self) -> None:
        """Let `run` come to its end."""
        self._life.stop()

    async def run(self, *, until_head: bool = False) -> None:
        """Consume until stopped, cancelled or failed; in each case what is done is committed and the group is left.

        `until_head`: also until what is in the topic now is done.
        """
        self._life.spawn(self._assignment.claims())
        self._life.spawn(self._assignment.topic())
        if until_head:
            self._life.spawn(self._to_head())
        self._life.spawn(self.commits.run())
        if self._view is None:
            self._start()
        else:
            self._life.spawn(self._join(self._view))
        try:
            await self._life.end.wait()
        finally:
            await to_its_end(self._close())
        if self._life.error is not None:
            raise self._life.error

    def _start(self) -> None:
        self._away = ""
        self._joined = True
        self.group.start()

    async def _join(self, view: View) -> None:
        """Join the group as soon as the view is there."""
        while True:
            try:
                await view.prepare(self._plan.prepares)
            except (psycopg.OperationalError, psycopg_pool.PoolTimeout) as error:
                if not self._away:
                    log.warning("the view's database cannot be reached", error=type(error).__name__)
                self._away = "the view's database cannot be reached"
                await asyncio.sleep(random.uniform(VIEW_S / 2, VIEW_S))  # noqa: S311 - keeps no secret
            else:
                self._start()
                return

    async def _to_head(self) -> None:
        await self.head.reached(self.workers)
        self._life.stop()

    async def _close(self) -> None:
        if self._joined:
            await self.group.stop()  # leaving the group revokes everything
        await self._life.cancel()
        await self._assignment.drop(frozenset(self.workers), commit=True)  # after a thread that failed

    async def check(self) -> None:
        """Raises Unavailable that says what is away or stalls."""
        if not self._joined:
            raise Unavailable(self._away or "the consumer has not joined its group yet")
        if self.commits.away.reason:
            raise Unavailable(f"claims and commits wait: {self.commits.away.reason}")
        if stalled := [worker.stalled for worker in self.workers.values() if worker.stalled]:
            raise Unavailable("; ".join(stalled[:5]))
        await self.group.check()
