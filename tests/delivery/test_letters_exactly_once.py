"""Exactly once also for what was set aside and wanted back."""

from __future__ import annotations

import asyncio

import pytest

from tests.delivery.bench import Bench, committed, set_aside
from tests.delivery.ledger import HANDLERS, Ledger
from tests.services import until


@pytest.mark.parametrize("handlers", HANDLERS)
async def test_a_poisoned_event_leaves_no_trace_and_comes_back_once(bench: Bench, handlers: str) -> None:
    bench.add(range(1, 301))
    ledger = Ledger(bench, handlers)
    ledger.poison = {7, 188}
    async with bench.running(ledger.consumer):
        await committed(bench, "ledger")
        kept = sorted(k.position or 0 for k in await bench.letters("ledger"))
        assert kept == [7, 107, 188, 207, 288]
        assert ledger.positions() == sorted(set(range(1, 301)) - set(kept))
        ledger.poison = set()
        await bench.retry("ledger")
        await set_aside(bench, "ledger", lambda kept: not kept)
    assert ledger.positions() == list(range(1, 301))
    assert ledger.in_order()


async def test_what_was_set_aside_has_its_effect_once_though_connections_break(bench: Bench) -> None:
    bench.add(range(1, 1001))
    ledger = Ledger(bench)
    ledger.poison = {7, 8, 9}
    async with bench.running(ledger.consumer):
        await committed(bench, "ledger")
        ledger.poison = set()
        await bench.retry("ledger")
        for _ in range(40):
            ledger.sever()
            await asyncio.sleep(0.01)
        await set_aside(bench, "ledger", lambda kept: not kept)
    assert ledger.positions() == list(range(1, 1001))
    assert ledger.in_order()


@pytest.mark.parametrize("handlers", HANDLERS)
async def test_what_was_set_aside_last_and_came_back_does_not_come_again_after_a_restart(
    bench: Bench, handlers: str
) -> None:
    """Nothing that has an effect follows it, so it is the letter's own effect that takes the view past it."""
    ledger = Ledger(bench, handlers)
    ledger.poison = {100}
    bench.add(range(1, 101))
    async with bench.running(ledger.consumer):
        await committed(bench, "ledger")
        ledger.poison = set()
        await bench.retry("ledger")
        await set_aside(bench, "ledger", lambda kept: not kept)
    again = Ledger(bench, handlers)
    bench.add(range(100, 101))  # a relay in doubt repeats it
    async with bench.running(again.consumer):
        bench.add(range(101, 201))
        await committed(bench, "ledger")
        await until(lambda: len(again.positions()) >= 200)
    assert again.positions() == list(range(1, 201))
    assert again.in_order()
