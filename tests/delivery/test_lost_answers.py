"""Exactly once when a commit has happened and nobody was told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from tests.delivery.bench import Bench, committed, set_aside
from tests.delivery.ledger import HANDLERS, Ledger


class Forgetful(AsyncConnection[Any]):
    """Breaks after every fifth commit, before its answer has come."""

    commits = 0

    @asynccontextmanager
    async def transaction(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        async with super().transaction(*args, **kwargs) as transaction:
            yield transaction
        Forgetful.commits += 1
        if Forgetful.commits % 5 == 0:
            await self.close()
            raise psycopg.OperationalError("the connection broke before the answer")


def forgetful(bench: Bench) -> AsyncConnectionPool[Any]:
    """Connections to a view's schema."""
    with psycopg.connect(bench.config.database_url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA ledger")
    options = {"options": "-c search_path=ledger", "autocommit": True}
    return AsyncConnectionPool(
        bench.config.database_url, connection_class=Forgetful, kwargs=options, open=False, min_size=1
    )


@pytest.mark.parametrize("handlers", HANDLERS)
async def test_a_commit_without_an_answer_is_not_repeated(bench: Bench, handlers: str) -> None:
    ledger = Ledger(bench, handlers, target=forgetful(bench))
    ledger.poison = {7, 300}
    bench.add(range(1, 301))
    async with bench.running(ledger.consumer):
        await committed(bench, "ledger")
        ledger.poison = set()
        await bench.retry("ledger")
        await set_aside(bench, "ledger", lambda kept: not kept)
        bench.add(range(301, 401))
        await committed(bench, "ledger")
    assert Forgetful.commits > 10
    assert ledger.positions() == list(range(1, 401))
    assert ledger.in_order()
    # It looks what has become of it; nobody has to be asked who it is.
    assert ledger.consumer.stats.fenced == 0


async def test_connections_that_break_while_only_the_offset_moves_end_nothing(bench: Bench) -> None:
    ledger = Ledger(bench, target=forgetful(bench))
    begun = Forgetful.commits
    bench.add(range(1, 20_001), action="Ignored")
    async with bench.running(ledger.consumer):
        await committed(bench, "ledger")
        bench.add(range(20_001, 20_101))
        await committed(bench, "ledger")
    assert Forgetful.commits - begun > 10
    assert ledger.positions() == list(range(20_001, 20_101))
