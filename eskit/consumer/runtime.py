"""One run of a consumer on the event loop: claims, workers, commits; what comes and goes with rebalances."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Coroutine, Iterable
from functools import partial
from typing import Any, NamedTuple

from eskit import logs
from eskit.client.offsets import OffsetsClient
from eskit.consumer.commits import Commits, Outcomes
from eskit.consumer.delivery.progress import Progress
from eskit.consumer.delivery.worker import Surroundings, Worker
from eskit.consumer.group.bridge import Bridge, Callbacks, Partitions
from eskit.consumer.group.inbox import Inbox
from eskit.consumer.group.membership import Source
from eskit.consumer.group.poller import Poller
from eskit.consumer.hooks import Hook, Hooks
from eskit.errors import EskitError, Unavailable
from eskit.ids import uuid7
from eskit.offsets import Claim

log = logs.get(__name__)


class Plan(NamedTuple):
    """What a run needs to know of its consumer."""

    name: str
    topic: str
    kafka: dict[str, Any]
    at_end: bool
    in_memory: bool
    on_assigned: list[Hook]
    on_revoked: list[Hook]


class Runtime:
    """Lives for one `Consumer.run`. All state is the event loop's; the Kafka thread comes in by callbacks only."""

    def __init__(self, plan: Plan, client: OffsetsClient, around: Surroundings) -> None:
        """Made on the event loop. `around.done` is replaced by this run's own."""
        tuning = around.tuning
        self._plan = plan
        self._client = client
        self._tuning = tuning
        self.commits = Commits(client, plan.name, tuning, around.stats, Outcomes(self._fenced, self.fail))
        self._around = around._replace(done=self.commits.done)
        # The last: a claim under way, the hooks.
        within_s = 3 * tuning.grace_s + 15
        callbacks = Callbacks(self._assigned, self._revoked, self._lost, self.fail, within_s)
        self.poller = Poller(plan.kafka, plan.topic, Bridge(callbacks))
        self._member = f"{socket.gethostname()} {os.getpid()} {str(uuid7())[-8:]}"
        self._unclaimed: set[int] = set()
        self._claim_wanted = asyncio.Event()
        # Held by whatever changes the set of workers.
        self._changing = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._end = asyncio.Event()
        self._hooks = Hooks(self.fail, self._end, tuning.grace_s)
        self._error: BaseException | None = None

    @property
    def workers(self) -> dict[int, Worker]:
        """The partitions that are ours now."""
        return self.commits.workers

    def stop(self) -> None:
        """Let `run` come to its end."""
        self._end.set()

    def fail(self, error: BaseException) -> None:
        """Let `run` come to its end and raise this."""
        self._error = self._error or error
        self._end.set()

    async def run(self) -> None:
        """Consume until stopped, cancelled or failed; in each case what is done is committed and the group is left."""
        self._spawn(self._claims())
        self._spawn(self.commits.run())
        self.poller.start()
        try:
            await self._end.wait()
        finally:
            await _to_its_end(self._close())
        if self._error is not None:
            raise self._error

    async def _close(self) -> None:
        await self.poller.stop()  # leaving the group revokes everything
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._drop(frozenset(self.workers), commit=True)  # after a thread that failed

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)

    def _assigned(self, partitions: Partitions) -> None:
        self._unclaimed |= partitions
        self._claim_wanted.set()

    async def _claims(self) -> None:
        """Claim what is assigned, for as long as it takes."""
        while True:
            await self._claim_wanted.wait()
            try:
                # Held during the call: a revocation waits for it, so that no claim of ours comes after a new owner's.
                async with self._changing:
                    await self._claim()
            except EskitError as error:
                await self.commits.away.wait(error)
            else:
                if not self._unclaimed:
                    self._claim_wanted.clear()

    async def _claim(self) -> None:
        if not self._unclaimed:
            return
        claims = await self._client.claim(self._plan.name, self._plan.topic, self._unclaimed, self._member)
        self.commits.away.back()
        ours = {c.partition: c for c in claims if c.partition in self._unclaimed}
        self._unclaimed -= ours.keys()
        if not ours:
            return
        log.info("partitions claimed", partitions=sorted(ours), epochs=[c.epoch for c in ours.values()])
        await self._hooks.call_until_end(self._plan.on_assigned, ours)
        if not self._end.is_set():
            self.poller.read({number: self._begin(claim) for number, claim in ours.items()})

    def _begin(self, claim: Claim) -> Source:
        progress = Progress(self._plan.topic, claim, in_memory=self._plan.in_memory)
        worker = Worker(progress, Inbox(self._tuning, self.poller.room), self._around)
        self.workers[claim.partition] = worker
        worker.start(partial(self._worker_ended, worker))
        found = partial(self._begin_at_end, worker)
        return Source(worker.inbox, progress.next_offset, self._plan.at_end, found)

    def _begin_at_end(self, worker: Worker, offset: int) -> None:
        # Saved at once: after a crash "the end" must not be a later one.
        worker.progress.begin_at(offset)
        self._spawn(self.commits.commit([worker]))

    def _worker_ended(self, worker: Worker, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            if not worker.stopped:
                self.fail(EskitError(f"the worker of partition {worker.progress.partition} was cancelled"))
        elif (error := task.exception()) is not None:
            worker.halt()
            self.fail(error)

    async def _revoked(self, partitions: Partitions) -> None:
        self._unclaimed -= partitions
        for worker in self._workers(partitions):
            worker.halt()
        async with self._changing:
            await self._drop(partitions, commit=True)
        log.info("partitions given back", partitions=sorted(partitions))

    async def _lost(self, partitions: Partitions) -> None:
        self._unclaimed -= partitions
        for worker in self._workers(partitions):
            worker.kill()
        async with self._changing:
            await self._drop(partitions, commit=False)
        log.warning("partitions lost", partitions=sorted(partitions))

    def _fenced(self, worker: Worker) -> None:
        """Somebody else has claimed a partition that the group, as far as we know, still gives to us.

        Either we were away so long that the group has given it on, and we have not heard of it yet; or somebody
        consumes under our name outside of the group. Claiming it back could fence the rightful owner in turn, so the
        group is asked: we leave it and join it anew, and claim what it gives us then.
        """
        if worker.stopped:  # it is on its way out, what was fenced is its last commit
            return
        number = worker.progress.partition
        worker.kill()
        log.warning("fenced: somebody else has claimed the partition", partition=number, epoch=worker.progress.epoch)
        self._spawn(self._drop_and_rejoin(number))

    async def _drop_and_rejoin(self, number: int) -> None:
        async with self._changing:
            await self._drop(frozenset({number}), commit=False)
        self.poller.rejoin()

    async def _drop(self, partitions: Partitions, *, commit: bool) -> None:
        workers = self._workers(partitions)
        if not workers:
            return
        await asyncio.gather(*(worker.stop(self._tuning.grace_s) for worker in workers))
        if commit:
            await self._last_commit(workers)
        for worker in workers:
            del self.workers[worker.progress.partition]
            self._around.catch_up.dropped(worker.progress.partition)
        await self._hooks.call(self._plan.on_revoked, [worker.progress.partition for worker in workers])

    async def _last_commit(self, workers: list[Worker]) -> None:
        try:
            async with asyncio.timeout(self._tuning.grace_s):
                await self.commits.commit(workers)
        except TimeoutError:
            log.warning("the last offsets could not be committed; the next owner handles those events again")
        except EskitError as error:
            self.fail(error)

    def _workers(self, partitions: Iterable[int]) -> list[Worker]:
        return [self.workers[p] for p in partitions if p in self.workers]

    async def check(self) -> None:
        """Raises Unavailable that says what is away or stalls."""
        if self.commits.away.reason:
            raise Unavailable(f"the offsets service is away: {self.commits.away.reason}")
        if stalled := [worker.stalled for worker in self.workers.values() if worker.stalled]:
            raise Unavailable("; ".join(stalled[:5]))
        await self.poller.check()


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Run it to its end, however often we are cancelled meanwhile; its time is bounded."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    task.result()
    if cancelled is not None:
        raise cancelled
