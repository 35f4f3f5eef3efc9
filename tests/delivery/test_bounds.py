"""Bounds hold whatever hangs: so many records ahead of what is committed, and no more."""

from __future__ import annotations

import asyncio

import pytest

from eskit.consumer import Consumer, Event, Tuning
from tests.delivery.bench import Bench, committed
from tests.services import until


async def test_an_originator_that_hangs_lets_others_go_no_further_ahead_than_the_window(bench: Bench) -> None:
    bench.add(range(1, 2001))
    gate, stuck = asyncio.Event(), {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
    consumer = Consumer("billing", concurrency=20, tuning=Tuning(commit_interval_s=0.05, window=100))
    seen: list[int] = []

    @consumer.on()
    async def handle(event: Event) -> None:
        if event.position in stuck:
            await gate.wait()
        seen.append(event.position)

    async with bench.running(consumer):
        await until(lambda: len(seen) > 100)
        await asyncio.sleep(1)
        offsets = await bench.offsets("billing")
        held = [number for number in bench.ends() if (offsets.get(number) or 0) < 10]
        assert held
        assert len(seen) <= 2000 - len(held) * (500 - 100)
        gate.set()
        await committed(bench, "billing")
    assert sorted(seen) == list(range(1, 2001))


@pytest.mark.parametrize("window", [1, 100])
async def test_what_nobody_wants_goes_no_further_ahead_of_what_hangs_than_the_window(bench: Bench, window: int) -> None:
    bench.add(range(1, 11))
    bench.add(range(11, 4011), action="Ignored")
    gate = asyncio.Event()
    consumer = Consumer("billing", concurrency=20, tuning=Tuning(commit_interval_s=0.05, window=window))
    entered: set[int] = set()

    @consumer.on("Thing.Changed")
    async def handle(event: Event) -> None:
        entered.add(event.position)
        await gate.wait()

    async with bench.running(consumer):
        await until(lambda: entered)
        await asyncio.sleep(1)
        offsets = await bench.offsets("billing")
        held = [number for number, end in bench.ends().items() if (offsets.get(number) or 0) < end]
        assert len(held) >= 1
        free = sum(end for number, end in bench.ends().items() if number not in held)
        # A turn takes 64 records at most beyond those that have begun.
        assert consumer.stats.filtered <= free + len(held) * (window + 64)
        gate.set()
        await until(lambda: len(entered) == 10)
