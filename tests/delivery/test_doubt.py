"""A commit without an answer is for the view to tell of, whatever the policy says of errors of the database."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from eskit.consumer import Consumer, DeadLetter
from eskit.errors import Unavailable
from tests.delivery.bench import Bench, committed, set_aside
from tests.delivery.ledger import QUICK, Ledger
from tests.delivery.test_lost_answers import Forgetful
from tests.services import until


@pytest.mark.parametrize("kind", [psycopg.OperationalError, Exception])
async def test_what_may_have_had_its_effect_is_not_set_aside(bench: Bench, kind: type[Exception]) -> None:
    with psycopg.connect(bench.config.database_url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA ledger")
    pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
        bench.config.database_url,
        connection_class=Forgetful,
        kwargs={"options": "-c search_path=ledger", "autocommit": True},
        open=False,
        min_size=1,
    )
    ledger = Ledger(bench)
    consumer = Consumer("ledger", transaction=pool, on_error={kind: DeadLetter}, tuning=QUICK._replace(batch_events=1))
    consumer.on_schema(ledger.tables)
    consumer.on()(ledger.one)
    bench.add(range(1, 101))
    async with bench.running(consumer):
        await committed(bench, "ledger")
        await bench.retry("ledger")
        await set_aside(bench, "ledger", lambda kept: not kept)
    assert ledger.positions() == list(range(1, 101))
    assert ledger.in_order()


class Lame(AsyncConnectionPool[Any]):
    """Has no connection right after one broke at its commit."""

    commits = 0

    async def getconn(self, timeout: float | None = None) -> Any:  # noqa: ASYNC109 - as the pool has it
        if Forgetful.commits % 5 == 0 and Forgetful.commits != self.commits:
            self.commits = Forgetful.commits
            raise PoolTimeout
        return await super().getconn(timeout)


@pytest.mark.parametrize("kind", [psycopg.OperationalError, Unavailable])
async def test_nor_is_it_while_the_view_cannot_be_asked(bench: Bench, kind: type[Exception]) -> None:
    with psycopg.connect(bench.config.database_url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA ledger")
    options = {"options": "-c search_path=ledger", "autocommit": True}
    pool = Lame(bench.config.database_url, connection_class=Forgetful, kwargs=options, open=False, min_size=1)
    ledger = Ledger(bench)
    consumer = Consumer("ledger", transaction=pool, on_error={kind: DeadLetter}, tuning=QUICK._replace(batch_events=1))
    consumer.on_schema(ledger.tables)
    consumer.on()(ledger.one)
    bench.add(range(1, 101))
    async with bench.running(consumer):
        await committed(bench, "ledger")
        await until(lambda: _all_back(bench))
    assert ledger.positions() == list(range(1, 101))
    assert ledger.in_order()


async def _all_back(bench: Bench) -> bool:
    await bench.retry("ledger")
    return not await bench.letters("ledger")
