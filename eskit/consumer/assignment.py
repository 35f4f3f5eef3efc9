"""What is ours of the topic: claimed, begun, worked off, given back or lost, as the group and newer claims say."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterable
from functools import partial
from typing import NamedTuple

from eskit import logs
from eskit.consumer.commits import Commits, Outcomes
from eskit.consumer.config import Start
from eskit.consumer.delivery.progress import Progress
from eskit.consumer.delivery.worker import Surroundings, Worker
from eskit.consumer.group.bridge import Partitions
from eskit.consumer.group.inbox import Inbox
from eskit.consumer.group.membership import Source
from eskit.consumer.hooks import Hook, Hooks
from eskit.consumer.identity import Identity
from eskit.consumer.life import Life
from eskit.consumer.means import Group, Means
from eskit.consumer.transactions.target import Prepare
from eskit.errors import EskitError, Fenced, Unavailable
from eskit.ids import uuid7
from eskit.offsets import Claim

log = logs.get(__name__)


class Plan(NamedTuple):
    """What a run needs to know of its consumer."""

    name: str
    topic: str
    start: Start
    in_memory: bool
    on_assigned: list[Hook]
    on_revoked: list[Hook]
    prepares: list[Prepare]


class Assignment:
    """All its state is the event loop's."""

    group: Group  # comes after us: it calls us

    def __init__(self, plan: Plan, means: Means, around: Surroundings, life: Life) -> None:
        """Nothing is ours yet. `around.done` is replaced by that of this run's commits."""
        self._plan = plan
        self._means = means
        self._life = life
        self._tuning = around.tuning
        self.commits = Commits(means.offsets, plan.name, around.tuning, around.stats, Outcomes(self._fenced, life.fail))
        self._around = around._replace(done=self.commits.done)
        self._hooks = Hooks(life.fail, life.end, around.tuning.grace_s)
        self._member = f"{socket.gethostname()} {os.getpid()} {str(uuid7())[-8:]}"
        self._identity = Identity(means.identify)
        self._unclaimed: set[int] = set()
        self._claim_wanted = asyncio.Event()
        # Held by whatever changes the set of workers.
        self._changing = asyncio.Lock()

    @property
    def workers(self) -> dict[int, Worker]:
        """The partitions that are ours now."""
        return self.commits.workers

    def assigned(self, partitions: Partitions) -> None:
        """The group gave us these."""
        self._around.stats.rebalances += 1
        self._unclaimed |= partitions
        self._claim_wanted.set()

    async def claims(self) -> None:
        """Claim what is assigned, for as long as it takes."""
        while True:
            await self._claim_wanted.wait()
            try:
                # Held during the call: a revocation waits for it, so that no claim of ours comes after a new owner's.
                async with self._changing:
                    await self._claim()
            except Fenced as error:
                log.warning("fenced while beginning", error=error.detail)
                self._unclaimed.clear()
                self._claim_wanted.clear()
                self.group.rejoin()
            except EskitError as error:
                await self.commits.away.wait(error)
            else:
                if not self._unclaimed:
                    self._claim_wanted.clear()

    async def topic(self) -> None:
        """Claim anew when the topic is another one: the offsets service then says that what is saved does not count."""
        await self._identity.watch(self._tuning.refresh_s, self.group.rejoin)

    async def _claim(self) -> None:
        if not self._unclaimed:
            return
        plan, topic_id = self._plan, await self._identity.now()
        claims = await self._means.offsets.claim(plan.name, plan.topic, self._unclaimed, self._member, topic_id)
        self.commits.away.back()
        begun = [await self._begun(claim) for claim in claims if claim.partition in self._unclaimed]
        # What was revoked while they began is not ours any more.
        ours = {w.progress.partition: w for w in begun if w.progress.partition in self._unclaimed}
        if not ours:
            return
        self._unclaimed -= ours.keys()
        log.info("partitions claimed", partitions=sorted(ours), epochs=[w.progress.epoch for w in ours.values()])
        await self._hooks.call_until_end(plan.on_assigned, ours)
        if not self._life.end.is_set():
            self.group.read({number: self._start(worker) for number, worker in ours.items()})

    async def _begun(self, claim: Claim) -> Worker:
        """The worker of a claim, not started: where it goes on and who waits is known. Raises Fenced, Unavailable."""
        view = self._around.delivery.view
        if view is not None:
            mirrored, claim = claim, await view.begin(claim)
            progress = Progress(self._plan.topic, claim)
            progress.stored_offset, progress.stored_position = mirrored.offset, mirrored.position
        else:
            progress = Progress(self._plan.topic, claim, in_memory=self._plan.in_memory)
        if progress.next_offset is None and self._plan.start != "beginning" and not self._plan.in_memory:
            await self._begin_at_start(progress)
        worker = Worker(progress, Inbox(self._tuning, self.group.room), self._around, self._means.letters(claim))
        if not self._plan.in_memory:
            await worker.parking.load()
        return worker

    async def _begin_at_start(self, progress: Progress) -> None:
        """Saved before anything is read: after a restart "the end" must not be a later one."""
        number, view = progress.partition, self._around.delivery.view
        progress.begin_at((await self._means.seek([number], self._plan.start))[number])
        if view is not None:
            await view.begin_at(progress)
        if (commit := progress.commit()) is not None:
            [outcome] = await self._means.offsets.commit_all(self._plan.name, [commit])
            if isinstance(outcome, EskitError):
                raise outcome
            progress.committed(commit)

    def _start(self, worker: Worker) -> Source:
        self.workers[worker.progress.partition] = worker
        worker.start(partial(self._worker_ended, worker))
        return Source(worker.inbox, worker.progress.next_offset)

    def _worker_ended(self, worker: Worker, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            if not worker.stopped:
                self._life.fail(EskitError(f"the worker of partition {worker.progress.partition} was cancelled"))
        elif isinstance(error := task.exception(), Fenced):
            self._around.stats.fenced += 1
            self._fenced(worker)
        elif error is not None:
            worker.halt()
            self._life.fail(error)

    async def revoked(self, partitions: Partitions) -> None:
        """The group wants these back: returns when they stand still, and what they did is committed."""
        self._around.stats.rebalances += 1
        self._unclaimed -= partitions
        for worker in self._workers(partitions):
            worker.halt()
        async with self._changing:
            await self.drop(partitions, commit=True)
        log.info("partitions given back", partitions=sorted(partitions))

    async def lost(self, partitions: Partitions) -> None:
        """These may be somebody else's already: returns when they stand still; nothing is committed."""
        self._around.stats.rebalances += 1
        self._unclaimed -= partitions
        for worker in self._workers(partitions):
            worker.kill()
        async with self._changing:
            await self.drop(partitions, commit=False)
        log.warning("partitions lost", partitions=sorted(partitions))

    def _fenced(self, worker: Worker) -> None:
        """Somebody else has claimed a partition that the group, as far as we know, still gives to us.

        Either we were away so long that the group has given it on, and we have not heard of it yet; or somebody
        consumes under our name outside of the group. Claiming it back could fence the rightful owner in turn, so the
        group is asked: we leave it and join it anew, and claim what it gives us then.
        """
        number = worker.progress.partition
        # On its way out: what was fenced is its last commit.
        if worker.stopped or self.workers.get(number) is not worker:
            return
        worker.kill()
        log.warning("fenced: somebody else has claimed the partition", partition=number, epoch=worker.progress.epoch)
        self._life.spawn(self._drop_and_rejoin(number))

    async def _drop_and_rejoin(self, number: int) -> None:
        async with self._changing:
            await self.drop(frozenset({number}), commit=False)
        self.group.rejoin()

    async def drop(self, partitions: Partitions, *, commit: bool) -> None:
        """End the workers of these partitions. The lock is the caller's business, unless all is at its end."""
        workers = self._workers(partitions)
        if not workers:
            return
        await asyncio.gather(*(worker.stop(self._tuning.grace_s) for worker in workers))
        if commit:
            await self._last_commit(workers)
        for worker in workers:
            del self.workers[worker.progress.partition]
            if self._around.catch_up is not None:
                self._around.catch_up.dropped(worker.progress.partition)
        await self._hooks.call(self._plan.on_revoked, [worker.progress.partition for worker in workers])

    async def _last_commit(self, workers: list[Worker]) -> None:
        try:
            async with asyncio.timeout(self._tuning.grace_s):
                await self.commits.commit(workers)
                claims = [Claim(worker.progress.partition, worker.progress.epoch) for worker in workers]
                await self._means.offsets.release(self._plan.name, self._plan.topic, claims)
        except (TimeoutError, Unavailable):
            log.warning("the last offsets could not be committed; the next owner handles those events again")
        except EskitError as error:
            self._life.fail(error)

    def _workers(self, partitions: Iterable[int]) -> list[Worker]:
        return [self.workers[p] for p in partitions if p in self.workers]
