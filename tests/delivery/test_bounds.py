"""Bounds hold whatever hangs: so many records ahead of what is committed, and no more."""

from __future__ import annotations

import asyncio

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
