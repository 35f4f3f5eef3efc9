"""The snapshotter: what it keeps, what it leaves out, and that nothing but offers is lost when its database is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest
from prometheus_client import CollectorRegistry

from crud_svc import database
from crud_svc.documents.state import State
from crud_svc.entities.target import Target
from crud_svc.snapshots import snapshotter
from crud_svc.snapshots.snapshotter import EVERY, FORMAT, MAX_WAITING, Snapshotter
from eskit.settings import Settings
from infra.local.postgres import PostgresServer
from tests.integration.crud_calls import crud_service
from tests.services import config_for, until
from tests.stack import migrate

ROW = "SELECT version, format, body FROM crud.snapshots WHERE originator_id = 'u' ORDER BY version"
OLD = """
INSERT INTO crud.snapshots (entity_type, originator_id, version, format, position, recorded_at, body)
SELECT 'User', 'u', version, 0, version, now(), 'not even JSON' FROM generate_series(1, 3) AS version"""


def state(version: int, text: bytes = b'{"a":1}') -> State:
    return State(version=version, position=version, modified_us=version, document={"a": 1}, text=text)


def offer(to: Snapshotter, version: int, ident: str = "u", text: bytes = b'{"a":1}') -> None:
    """A state that took long enough."""
    to.offer(Target("User", ident), state(version, text), EVERY, len(text), latest=True)


@asynccontextmanager
async def running(config: Settings) -> AsyncIterator[Snapshotter]:
    async with database.open_pool(config) as pool:
        made = Snapshotter(pool, CollectorRegistry())
        working = asyncio.create_task(made.run())
        try:
            yield made
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)


def rows(config: Settings, query: str = ROW) -> list[tuple[object, ...]]:
    with psycopg.connect(config.database_url, autocommit=True) as owner:
        return owner.execute(query).fetchall()


async def test_the_newest_four_stay_and_one_in_500_versions(config: Settings) -> None:
    async with running(config) as made:
        for version in range(50, 3001, 50):
            offer(made, version)
        offer(made, 10, "other")
        kept = [450, 950, 1450, 1950, 2450, 2850, 2900, 2950, 3000]
        await until(lambda: [row[0] for row in rows(config)] == kept)
        offer(made, 3050)
        await until(lambda: [row[0] for row in rows(config)] == [*kept[:5], 2900, 2950, 3000, 3050])
    assert rows(config, "SELECT version FROM crud.snapshots WHERE originator_id = 'other'") == [(10,)]


async def test_another_format_is_not_read_but_replaced_and_cleaned_away(config: Settings) -> None:
    async with crud_service(config) as crud:
        for n in range(3):
            await (crud.merge("u", {"n": n}) if n else crud.create("u", {"n": 0}))
        with psycopg.connect(config.database_url, autocommit=True) as owner:
            owner.execute(OLD)
        assert (await crud.get("u")).json == {"n": 2}
        assert (await crud.get("u", "?version=2")).json == {"n": 1}
    async with running(config) as made:
        offer(made, 2)
        await until(lambda: rows(config) == [(2, FORMAT, '{"a":1}')])


async def test_what_waits_is_bounded_in_number(config: Settings) -> None:
    async with running(config) as made:
        for n in range(MAX_WAITING + 200):
            offer(made, 1, f"u{n:05}")
        first = f"u{200:05}"
        count = "SELECT count(*), min(originator_id) FROM crud.snapshots"
        await until(lambda: rows(config, count) == [(MAX_WAITING, first)])


async def test_what_waits_is_bounded_in_bytes(config: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshotter, "MAX_WAITING_BYTES", 10_000)
    async with running(config) as made:
        for n in range(100):
            offer(made, 1, f"u{n:05}", b'{"a":"%s"}' % (b"x" * 991))
        count = "SELECT count(*), min(originator_id) FROM crud.snapshots"
        await until(lambda: rows(config, count) == [(10, "u00090")])


async def test_a_database_that_is_away_loses_offers_and_nothing_else(private_postgres: PostgresServer) -> None:
    migrate(private_postgres.url)
    config = config_for(private_postgres.url, pool_wait_s=0.2)
    async with running(config) as made:
        private_postgres.stop("fast")
        offer(made, 1)
        await until(lambda: not made._waiting)  # taken to be written, which nothing else shows
        private_postgres.start()

        async def written() -> bool:
            offer(made, 2)
            await asyncio.sleep(0.05)
            return bool(rows(config))

        await until(written)
    assert rows(config)[-1] == (2, FORMAT, '{"a":1}')


async def test_two_that_write_the_same_snapshots_do_not_block_each_other(config: Settings) -> None:
    """Rows written in two orders would wait for each other, and one of the two batches be lost."""
    async with database.open_pool(config) as pool:
        one, other = Snapshotter(pool, CollectorRegistry()), Snapshotter(pool, CollectorRegistry())
        for turn in range(1, 13):
            for number in range(500):
                offer(one, turn, f"u{number}")
                offer(other, turn, f"u{499 - number}")
            await asyncio.gather(one.write_waiting(), other.write_waiting())
            assert rows(config, f"SELECT count(*) FROM crud.snapshots WHERE version = {turn}") == [(500,)]
