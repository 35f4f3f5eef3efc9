"""Exactly once into Postgres: what is in the view is the log, whatever breaks in between."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from eskit.consumer import Consumer, Event, Target
from eskit.errors import SettingsError
from tests.delivery.bench import Bench, committed
from tests.delivery.ledger import HANDLERS, Ledger
from tests.services import until


@pytest.mark.parametrize("handlers", HANDLERS)
async def test_each_event_has_one_effect(bench: Bench, handlers: str) -> None:
    bench.add(range(1, 501))
    ledger = Ledger(bench, handlers)
    async with bench.running(ledger.consumer):
        await committed(bench, "ledger")
    assert ledger.positions() == list(range(1, 501))
    assert ledger.in_order()


async def test_a_pool_of_ones_own(bench: Bench) -> None:
    with psycopg.connect(bench.config.database_url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA ledger")
    pool: AsyncConnectionPool[AsyncConnection[Any]] = AsyncConnectionPool(
        bench.config.database_url, kwargs={"options": "-c search_path=ledger"}, open=False, min_size=1
    )
    bench.add(range(1, 101))
    ledger = Ledger(bench, target=pool)
    async with bench.running(ledger.consumer):
        await committed(bench, "ledger")
    assert ledger.positions() == list(range(1, 101))


@pytest.mark.parametrize("handlers", HANDLERS)
async def test_connections_that_break_again_and_again_change_nothing(bench: Bench, handlers: str) -> None:
    """Between effect and commit, at the commit, after it: in doubt, the view itself knows."""
    ledger = Ledger(bench, handlers)
    async with bench.running(ledger.consumer):
        bench.add(range(1, 101))
        await until(lambda: ledger.consumer.stats.handled)
        broken = 0
        for first in range(101, 1001, 100):
            bench.add(range(first, first + 100))
            for _ in range(4):
                await asyncio.sleep(random.uniform(0.005, 0.1))  # sometimes long enough for a transaction
                broken += ledger.sever()
        await committed(bench, "ledger")
    assert broken > 5
    assert ledger.positions() == list(range(1, 1001))
    assert ledger.in_order()


async def test_what_nobody_wants_moves_the_views_offset_too(bench: Bench) -> None:
    bench.add(range(1, 8001), action="Ignored")
    ledger = Ledger(bench)
    async with bench.running(ledger.consumer):
        await committed(bench, "ledger")
        bench.add(range(8001, 8101), action="Ignored")
        await committed(bench, "ledger")
    with psycopg.connect(ledger.url) as connection:
        [(least,)] = connection.execute("SELECT coalesce(sum(next_offset), 0) FROM ledger.eskit_progress").fetchall()
    assert least > 0
    assert ledger.positions() == []


async def test_two_members_share_a_view_and_hand_over_without_a_repetition(bench: Bench) -> None:
    first, second = Ledger(bench), Ledger(bench)
    bench.add(range(1, 201))
    async with bench.running(first.consumer):
        async with bench.running(second.consumer):
            await until(lambda: second.consumer.partitions)
            bench.add(range(201, 801))
            await until(lambda: second.consumer.stats.handled > 20)
        bench.add(range(801, 1001))
        await until(lambda: len(first.positions()) >= 1000, 30)
        await committed(bench, "ledger")
    assert first.positions() == list(range(1, 1001))
    assert first.in_order()


async def test_a_zombies_transaction_is_rolled_back(bench: Bench) -> None:
    """A member is at work when somebody else's claim reaches the view: nothing of its transaction stays."""
    gate, entered = asyncio.Event(), asyncio.Event()
    ledger = Ledger(bench)
    calls: list[int] = []

    @ledger.consumer.on("Thing.Changed")
    async def hold(event: Event, connection: AsyncConnection[Any]) -> None:
        del connection
        calls.append(event.position)
        if len(calls) == 1:
            entered.set()
            await gate.wait()

    bench.add(range(100, 101))
    async with bench.running(ledger.consumer):
        await asyncio.wait_for(entered.wait(), 20)
        await ledger.rewrite("UPDATE ledger.eskit_progress SET epoch = epoch + 1000000")
        gate.set()
        await until(lambda: ledger.consumer.stats.fenced)
        assert ledger.positions() == []
        # The view's epoch is ahead of any claim for good: that is a broken view, not a state to wait out.
        await ledger.rewrite("UPDATE ledger.eskit_progress SET epoch = 0")
        await until(lambda: ledger.positions() == [100], 30)


async def test_the_views_database_may_come_later(bench: Bench) -> None:
    bench.add(range(1, 51))
    with psycopg.connect(bench.config.database_url, autocommit=True) as connection:
        connection.execute("CREATE ROLE later LOGIN PASSWORD 'x' CONNECTION LIMIT 0")
        name = connection.info.dbname
        connection.execute(f'GRANT CREATE ON DATABASE "{name}" TO later')
    try:
        url = psycopg.conninfo.make_conninfo(bench.config.database_url, user="later", password="x")  # noqa: S106 - of this test alone
        ledger = Ledger(bench, target=Target("ledger", url))
        async with bench.running(ledger.consumer):
            await until(lambda: _not_ready(ledger.consumer, "view's database"))
            with psycopg.connect(bench.config.database_url, autocommit=True) as connection:
                connection.execute("ALTER ROLE later CONNECTION LIMIT -1")
            await committed(bench, "ledger")
        assert ledger.positions() == list(range(1, 51))
    finally:
        with psycopg.connect(bench.config.database_url, autocommit=True) as connection:
            connection.execute("DROP OWNED BY later")
            connection.execute("DROP ROLE later")


async def _not_ready(consumer: Consumer, why: str) -> bool:
    try:
        await consumer.check()
    except Exception as error:  # noqa: BLE001 - its text is looked at
        return why in str(error)
    return False


def test_what_does_not_go_together_is_refused_at_once() -> None:
    with pytest.raises(SettingsError, match="concurrency"):
        Consumer("c", transaction=Target("c"), concurrency=2)
    with pytest.raises(SettingsError, match="exclude"):
        Consumer("c", transaction=Target("c"), in_memory=True)
    with pytest.raises(TypeError, match="connection"):

        @Consumer("c", transaction=Target("c")).on()
        async def handler(event: Event) -> None: ...
