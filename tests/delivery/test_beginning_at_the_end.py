"""A consumer that begins at the end: what comes from then on is its own, whatever happens to it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from eskit.consumer import Consumer, Event, Target, Tuning
from eskit.errors import EskitError, Unavailable
from eskit.offsets import Commit, Committed
from eskit.testing import Log
from eskit.testing.consuming import TOPIC, memory_means
from eskit.testing.offsets import KeptOffsets
from tests.delivery.bench import Bench, committed
from tests.delivery.ledger import QUICK, Ledger
from tests.integration.consuming import PARTITIONS, stored
from tests.services import until


async def test_a_view_goes_on_at_the_end_that_it_began_at(bench: Bench) -> None:
    bench.add(range(1, 101))
    ledger = Ledger(bench)
    async with bench.running(_late(ledger)):
        await committed(bench, "ledger")
    bench.add(range(101, 201))
    async with bench.running(_late(ledger)):
        await committed(bench, "ledger")
        bench.add(range(201, 301))
        await committed(bench, "ledger")
    assert ledger.positions() == list(range(101, 301))


def _late(ledger: Ledger) -> Consumer:
    consumer = Consumer("ledger", start="end", transaction=Target("ledger"), tuning=QUICK)
    consumer.on_schema(ledger.tables)
    consumer.on()(ledger.one)
    return consumer


class Slow(KeptOffsets):
    """Takes its time to store a commit, or is away."""

    away = False

    async def commit_all(self, consumer: str, commits: Sequence[Commit]) -> list[Committed | EskitError]:
        await asyncio.sleep(0.2)
        if self.away:
            raise Unavailable("away")
        return await super().commit_all(consumer, commits)


class Latecomer:
    """A consumer that begins at the end of a log in memory, of 100 events."""

    def __init__(self) -> None:
        self.log = Log(PARTITIONS)
        self.log.offsets = self.offsets = Slow()
        self.seen: list[int] = []
        self.add(range(1, 101))
        self.consumer = Consumer("billing", start="end", tuning=Tuning(window=10, grace_s=0.5))
        self.consumer.on()(self.handle)

    async def handle(self, event: Event) -> None:
        self.seen.append(event.position)

    def add(self, positions: range) -> None:
        for position in positions:
            self.log.publish(stored(position))

    def start(self) -> asyncio.Task[None]:
        return asyncio.create_task(self.consumer.run_on(memory_means(self.consumer, self.log), TOPIC))

    async def stop(self, running: asyncio.Task[None]) -> None:
        self.consumer.stop()
        await asyncio.wait_for(running, 30)


async def test_an_end_beyond_the_window_is_no_full_window() -> None:
    late = Latecomer()
    running = late.start()
    await until(lambda: len(late.consumer.partitions) == PARTITIONS)
    late.add(range(101, 201))
    await until(lambda: len(late.seen) == 100)
    await late.stop(running)


async def test_nothing_is_read_before_the_end_is_saved() -> None:
    late = Latecomer()
    late.offsets.away = True
    running = late.start()
    await asyncio.sleep(0.5)
    late.add(range(101, 201))
    await asyncio.sleep(0.5)
    assert late.seen == []
    late.offsets.away = False
    await until(lambda: len(late.consumer.partitions) == PARTITIONS)
    late.add(range(201, 301))
    await until(lambda: len(late.seen) == 100)
    await late.stop(running)
