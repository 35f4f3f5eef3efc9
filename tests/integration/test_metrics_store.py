"""The counts in Postgres: a bound on types that holds for all instances, and for good."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection

from consumers.metrics import store
from consumers.metrics.counts import Type
from eskit.consumer import Record
from eskit.kafka.record import Source, decode
from eskit.settings import Settings
from tests.integration.consuming import stored

OTHER = Type("other", "other")


@pytest.fixture
async def url(config: Settings) -> str:
    async with await AsyncConnection.connect(config.database_url, autocommit=True) as connection:
        await connection.execute("CREATE SCHEMA metrics")
    url = psycopg.conninfo.make_conninfo(config.database_url, options="-c search_path=metrics")
    async with opened(url) as connection:
        await store.prepare(connection)
        await store.prepare(connection)  # as each start does
    return url


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[AsyncConnection[Any]]:
    async with await AsyncConnection.connect(url, autocommit=True) as connection:
        yield connection


def records(partition: int, kinds: str, first: int = 1) -> list[Record]:
    """An event for each letter: of the entity type of that name, created."""
    events = [stored(first + n, entity_type=kind, action="Created") for n, kind in enumerate(kinds)]
    return [Record(decode(Source("main").record(e).value), partition, e.position) for e in events]


def created(**events: int) -> dict[Type, int]:
    return {Type(kind, f"{kind}.Created"): count for kind, count in events.items()}


async def fold(url: str, partition: int, kinds: str, first: int = 1) -> None:
    async with opened(url) as connection, connection.transaction():
        await store.fold(records(partition, kinds, first), connection, max_types=2)


async def test_types_beyond_the_bound_share_a_count(url: str) -> None:
    await fold(url, 0, "ABCA")
    await fold(url, 0, "CBD", first=5)
    await fold(url, 1, "DA")
    async with opened(url) as connection:
        found = await store.shown(connection, [0, 1])
    assert found[0].stored == found[0].crud == created(A=2, B=2) | {OTHER: 3}
    assert found[1].stored == created(A=1) | {OTHER: 1}
    assert [found[n].last_position for n in (0, 1)] == [7, 2]


async def test_what_is_counted_is_not_counted_again(url: str) -> None:
    await fold(url, 0, "ABA")
    await fold(url, 0, "ABAB")
    await fold(url, 0, "ABA")
    async with opened(url) as connection:
        assert (await store.shown(connection, [0]))[0].stored == created(A=2, B=2)


async def test_what_is_rolled_back_is_not_counted(url: str) -> None:
    async with opened(url) as connection:
        async with connection.transaction(force_rollback=True):
            await store.fold(records(0, "AB"), connection)
        assert (await store.shown(connection, [0]))[0].count == 0
    await fold(url, 0, "C")
    async with opened(url) as connection:
        assert (await store.shown(connection, [0]))[0].stored == created(C=1)


async def test_the_bound_holds_for_instances_that_race(url: str) -> None:
    await asyncio.gather(*(fold(url, number, kinds) for number, kinds in enumerate(("AB", "CD", "EF", "GH", "BA"))))
    async with opened(url) as connection:
        found = await store.shown(connection, range(5))
        named = await (await connection.execute("SELECT count(*) FROM types")).fetchall()
    assert named == [(2,)]
    assert sum(counts.count for counts in found.values()) == 10
    assert len({kind for counts in found.values() for kind in counts.stored} - {OTHER}) == 2
