"""A handler that is told to stop, and makes of that what it likes: its event is not done."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from psycopg import AsyncConnection

from eskit.consumer import Consumer, Event, HandlerStopped, Stop, Target, Tuning
from tests.delivery.bench import Bench, committed, set_aside
from tests.delivery.ledger import QUICK, Ledger
from tests.services import until

SHORT = Tuning(commit_interval_s=0.05, retry_least_s=0.01, retry_most_s=0.05, grace_s=0.5)


async def test_a_lane_cancelled_for_anothers_error_is_not_done(bench: Bench) -> None:
    bench.add(range(1, 101))
    consumer = Consumer("billing", concurrency=100, on_error={ValueError: Stop}, tuning=QUICK)
    at_work: set[int] = set()

    @consumer.on()
    async def handle(event: Event) -> None:
        at_work.add(event.position)
        if event.position == 100:
            await until(lambda: len(at_work) == 100)
            raise ValueError("no such account")
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    with pytest.raises(HandlerStopped):
        async with bench.running(consumer) as task:
            await asyncio.wait([task], timeout=30)
    assert not any((await bench.offsets("billing")).values())


async def test_a_letter_is_kept_when_its_handler_was_cancelled(bench: Bench) -> None:
    bench.add(range(100, 101))
    consumer = Consumer("billing", tuning=SHORT)
    wanted, again = asyncio.Event(), asyncio.Event()

    @consumer.on()
    async def handle(event: Event) -> None:
        del event
        if not wanted.is_set():
            raise ValueError("no such account")
        again.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    async with bench.running(consumer):
        await committed(bench, "billing")
        wanted.set()
        await bench.retry("billing")
        await asyncio.wait_for(again.wait(), 10)
    assert [kept.position for kept in await bench.letters("billing")] == [100]


@pytest.mark.parametrize("drained", [False, True])
async def test_a_view_keeps_nothing_of_a_handler_that_was_cancelled(bench: Bench, *, drained: bool) -> None:
    bench.add(range(100, 101))
    ledger = Ledger(bench)
    hang, entered = asyncio.Event(), asyncio.Event()
    consumer = Consumer("ledger", transaction=Target("ledger"), tuning=SHORT)
    consumer.on_schema(ledger.tables)

    @consumer.on()
    async def handle(event: Event, connection: AsyncConnection[Any]) -> None:
        del event, connection
        if drained and not hang.is_set():
            raise ValueError("no such account")
        entered.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    async with bench.running(consumer):
        if drained:
            await committed(bench, "ledger")
            hang.set()
            await bench.retry("ledger")
        await asyncio.wait_for(entered.wait(), 20)
    async with bench.running(ledger.consumer):
        if drained:
            await bench.retry("ledger")
            await set_aside(bench, "ledger", lambda kept: not kept)
        await committed(bench, "ledger")
    assert ledger.positions() == [100]
