"""Committing: all partitions in one call, now and then, and tried again while the offsets service is away."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import NamedTuple

from eskit import logs
from eskit.consumer.config import Tuning
from eskit.consumer.delivery.worker import Worker
from eskit.consumer.means import Offsets
from eskit.consumer.stats import Stats
from eskit.errors import EskitError, Fenced
from eskit.offsets import Commit, Committed

log = logs.get(__name__)

RETRY_LEAST_S = 0.05
RETRY_MOST_S = 3.0


class Outcomes(NamedTuple):
    """What becomes of a commit that was refused."""

    fenced: Callable[[Worker], None]
    failed: Callable[[BaseException], None]


class Away:
    """Whether partitions can be claimed and committed, and what was said last when they could not."""

    def __init__(self) -> None:
        self.reason = ""
        self._pause_s = RETRY_LEAST_S

    def back(self) -> None:
        """It has answered."""
        if self.reason:
            log.info("claims and commits go on")
        self.reason, self._pause_s = "", RETRY_LEAST_S

    async def wait(self, error: EskitError) -> None:
        """It has not: wait a little, longer each time, with jitter. Raises an error that waiting cannot mend."""
        if error.status < 500:
            raise error
        if not self.reason:
            log.warning("claims and commits wait", error=error.detail)
        self.reason = error.detail
        await asyncio.sleep(random.uniform(self._pause_s / 2, self._pause_s))  # noqa: S311 - keeps no secret
        self._pause_s = min(self._pause_s * 2, RETRY_MOST_S)


class Commits:
    """Commits of one consumer. One call at a time: so an older offset never overtakes a newer one."""

    def __init__(self, client: Offsets, name: str, tuning: Tuning, stats: Stats, outcomes: Outcomes) -> None:
        self.workers: dict[int, Worker] = {}
        self.away = Away()
        self._client = client
        self._name = name
        self._tuning = tuning
        self._stats = stats
        self._outcomes = outcomes
        self._lock = asyncio.Lock()
        self._done = 0
        self._enough = asyncio.Event()
        self._last_news = 0.0

    def done(self, records: int) -> None:
        """So many records more are done."""
        self._done += records
        if self._done >= self._tuning.commit_events:
            self._enough.set()

    async def run(self) -> None:
        """Commit every interval, or after so many events, until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._tuning.commit_interval_s):
                    await self._enough.wait()
            self._enough.clear()
            self._done = 0
            await self.commit(self.workers.values(), refresh=True)

    async def commit(self, workers: Iterable[Worker], *, refresh: bool = False) -> None:
        """Commit what these have done; returns when it is stored or refused, tries for ever.

        `refresh`: when long nothing was done, send what is stored again, as a sign of life.
        """
        while True:
            async with self._lock:
                wanted = [(w, c) for w in workers if (c := w.progress.commit()) is not None]
                if not wanted:
                    if not (refresh and self._silent(workers)):
                        return
                    # May be none, as long as the log has nothing for us: also that is a sign of life.
                    wanted = [(w, c) for w in workers if (c := w.progress.commit_again()) is not None]
                try:
                    outcomes = await self._client.commit_all(self._name, [c for _, c in wanted])
                except EskitError as caught:
                    error = caught
                else:
                    self._answered(wanted, outcomes)
                    return
            # Outside of the lock: a revocation must not wait behind a pause.
            await self.away.wait(error)

    def _silent(self, workers: Iterable[Worker]) -> bool:
        """Whether a member that has partitions was not heard of for long."""
        return any(workers) and asyncio.get_running_loop().time() - self._last_news >= self._tuning.refresh_s

    def _answered(self, wanted: list[tuple[Worker, Commit]], outcomes: list[Committed | EskitError]) -> None:
        self.away.back()
        self._last_news = asyncio.get_running_loop().time()
        for (worker, commit), outcome in zip(wanted, outcomes, strict=True):
            if isinstance(outcome, Committed):
                worker.progress.committed(commit)
                worker.committed()
                self._stats.committed += 1
            elif isinstance(outcome, Fenced):
                self._stats.fenced += 1
                self._outcomes.fenced(worker)
            else:
                self._outcomes.failed(outcome)
