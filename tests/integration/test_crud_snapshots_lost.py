"""Snapshots are a cache: without them, and without their table, every answer is the same."""

from __future__ import annotations

from collections.abc import AsyncIterator

import psycopg
import pytest

from eskit.settings import Settings
from tests.integration.crud_calls import Crud, crud_service, path
from tests.services import until

UPDATES = 130
QUERIES = ("", "?version=70", "?position=100", "?version=1")


@pytest.fixture
async def crud(config: Settings) -> AsyncIterator[Crud]:
    async with crud_service(config) as service:
        yield service


def count(config: Settings) -> int:
    with psycopg.connect(config.database_url, autocommit=True) as connection:
        row = connection.execute("SELECT count(*) FROM crud.snapshots").fetchone()
    return row[0] if row else 0


async def answers(crud: Crud) -> list[tuple[int, str | None, bytes]]:
    replies = [await crud.get("a", query) for query in QUERIES]
    replies += [await crud.call("GET", f"{path('a')}/{what}") for what in ("history?from_version=100", "blame")]
    return [(reply.status, reply.headers.get("ETag"), reply.body) for reply in replies]


async def test_no_answer_changes(config: Settings, crud: Crud) -> None:
    await crud.create("a", {"n": 0})
    for number in range(UPDATES):
        assert (await crud.merge("a", {"n": number + 1, f"f{number % 7}": number})).status == 200
    await crud.get("a")
    await until(lambda: count(config) > 0)
    with_snapshots = await answers(crud)
    with psycopg.connect(config.database_url, autocommit=True) as owner:
        owner.execute("TRUNCATE crud.snapshots")
    assert await answers(crud) == with_snapshots
    with psycopg.connect(config.database_url, autocommit=True) as owner:
        owner.execute("DROP TABLE crud.snapshots")
    assert await answers(crud) == with_snapshots
    assert (await crud.merge("a", {"n": -1}, f'"{UPDATES + 1}"')).status == 200


async def test_a_snapshot_of_another_history_does_not_count(config: Settings, crud: Crud) -> None:
    """As after a restore of the log alone."""
    await crud.create("a", {"n": 0})
    await crud.merge("a", {"n": 1})
    with psycopg.connect(config.database_url, autocommit=True) as owner:
        owner.execute(
            "INSERT INTO crud.snapshots (entity_type, originator_id, version, format, position, recorded_at, body)"
            " VALUES ('User', 'a', 2, 1, 2, now() - interval '1 day', '{\"n\": 99}')"
        )
    assert (await crud.get("a")).json == {"n": 1}
