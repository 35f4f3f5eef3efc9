"""Until a consumer has done what was in the topic when it began."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping

from eskit.consumer.delivery.worker import Worker
from eskit.errors import Unavailable
from eskit.kafka.seeking import Place

Seek = Callable[[Iterable[int], Place], Awaitable[dict[int, int]]]

LOOK_S = 0.05
RETRY_S = 1.0


class Head:
    """The ends of the partitions as they were when each became ours first."""

    def __init__(self, seek: Seek) -> None:
        """Nothing is known yet."""
        self._seek = seek
        self.beginnings: dict[int, int] = {}
        self.ends: dict[int, int] = {}

    async def reached(self, workers: Mapping[int, Worker]) -> None:
        """Return when every partition that is ours has been worked off up to its end; waits until some are ours."""
        while True:
            await self._learn(workers.keys() - self.ends.keys())
            if workers and all(self._done(number, worker) for number, worker in workers.items()):
                return
            await asyncio.sleep(LOOK_S)

    async def _learn(self, numbers: Iterable[int]) -> None:
        if not (wanted := sorted(numbers)):
            return
        try:
            beginnings, ends = await self._seek(wanted, "beginning"), await self._seek(wanted, "end")
        except Unavailable:
            await asyncio.sleep(RETRY_S)
        else:
            self.beginnings |= beginnings
            self.ends |= ends

    @property
    def records(self) -> int:
        """Records of these partitions, from their beginnings to those ends."""
        return sum(end - self.beginnings[number] for number, end in self.ends.items())

    def done(self, workers: Mapping[int, Worker]) -> int:
        """How many of them are done, or were before."""
        return sum(self._at(n, w) - self.beginnings[n] for n, w in workers.items() if n in self.ends)

    def _done(self, number: int, worker: Worker) -> bool:
        return number in self.ends and self._at(number, worker) >= self.ends[number]

    def _at(self, number: int, worker: Worker) -> int:
        at = worker.progress.next_offset
        return self.beginnings[number] if at is None else at
