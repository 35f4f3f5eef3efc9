"""Snapshots: what a read at any version costs, and that it is the fold of all events all the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import psycopg
import pytest

from crud_svc.entities.reading import Place, Reader
from crud_svc.entities.target import Target
from crud_svc.snapshots.snapshotter import LEAST_EVENTS
from eskit.ids import uuid7
from eskit.names import EventType
from eskit.settings import Settings
from eventstore_svc.store import Fetcher, NewEvent, Rows
from tests.integration.crud_calls import Crud, crud_service
from tests.services import until

TARGET = Target("User", "u")
LONG = 10_000


@pytest.fixture
async def crud(config: Settings) -> AsyncIterator[Crud]:
    async with crud_service(config) as service:
        yield service


@pytest.fixture
def rows_read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Of each query for an entity, how many rows it answered."""
    counts: list[int] = []
    fetch = Fetcher.fetch

    async def counted(fetcher: Fetcher, name: str, values: Any) -> Rows:
        rows = await fetch(fetcher, name, values)
        if name == "read_entity":
            counts.append(len(rows))
        return rows

    monkeypatch.setattr(Fetcher, "fetch", counted)
    return counts


def event(action: str, payload: bytes) -> NewEvent:
    return NewEvent(
        event_id=uuid7(),
        id_is_given=False,
        type=EventType("User", action),
        originator_id="u",
        payload=payload,
        metadata=b"{}",
    )


async def long_history(crud: Crud, versions: int) -> None:
    """At version n it is {"n": n, …}, with every hundredth event deleting it, or bringing it back."""
    kinds = {0: "Deleted", 1: "Restored"}
    events = [event("Created", b'{"n":1}')]
    for n in range(2, versions + 1):
        action = kinds.get(n % 100, "Updated")
        events.append(event(action, b'{"merge_patch":{"n":%d}}' % n if action == "Updated" else b'{"n":%d}' % n))
    for first in range(0, versions, 100):
        await crud.store.append(events[first : first + 100])


def snapshots(config: Settings) -> list[int]:
    with psycopg.connect(config.database_url, autocommit=True) as owner:
        return [row[0] for row in owner.execute("SELECT version FROM crud.snapshots ORDER BY version").fetchall()]


def has_one_since(config: Settings, version: int) -> bool:
    return max(snapshots(config), default=0) >= version


async def same_as_refolded(reader: Reader, version: int) -> None:
    state, whole = await reader.state(TARGET, Place(version)), await reader.refolded(TARGET, version)
    assert (state.version, state.position, state.modified_us) == (whole.version, whole.position, whole.modified_us)
    assert (state.document, state.deleted_at, state.body()) == (whole.document, whole.deleted_at, whole.body())


async def test_a_read_at_version_10_000_costs_what_one_at_version_10_does(
    config: Settings, crud: Crud, rows_read: list[int]
) -> None:
    await long_history(crud, LONG)
    assert (await crud.get("u")).status == 410
    assert sum(rows_read) == LONG, "the first time there is no snapshot"
    await until(lambda: snapshots(config) == [LONG])
    rows_read.clear()
    assert (await crud.get("u")).json["version"] == LONG
    assert rows_read == [1]
    for n in range(3):
        assert (await crud.call("POST", "/v1/entities/User/u/restore", If_Match="*")).status == 200
        assert (await crud.delete("u")).status == 204
        rows_read.clear()
        assert (await crud.get("u", "?deleted=true")).json == {"n": LONG - 1}
        assert rows_read == [3 + 2 * n]
    # Of the past: whoever asked first has folded, who asks for a version near by has a few events to fold.
    await crud.get("u", "?version=7777")
    await until(lambda: 7777 in snapshots(config))
    rows_read.clear()
    assert (await crud.get("u", "?version=7799")).json == {"n": 7799}
    assert rows_read == [23]
    for version in (1, 7776, 7777, 7778, 7799, 7800, 7801, LONG - 1, LONG, LONG + 1, LONG + 2):
        await same_as_refolded(crud.entities.reader, version)


async def test_reads_stay_short_while_an_entity_grows(crud: Crud, config: Settings, rows_read: list[int]) -> None:
    """Each write reads, or knows the state; there is a snapshot before there are many events without one."""
    await crud.create("u", {"n": 0})
    for n in range(1, 6 * LEAST_EVENTS):
        assert (await crud.merge("u", {"n": n})).status == 200
        if n % LEAST_EVENTS == LEAST_EVENTS - 1:
            assert (await crud.get("u")).json == {"n": n}
            await until(partial(has_one_since, config, n + 1 - LEAST_EVENTS))
    # One that was known for so long that it had to be read again, and the fifty since the last snapshot.
    assert max(rows_read) <= 1 + 2 * LEAST_EVENTS
    assert len(snapshots(config)) <= 5
    await same_as_refolded(crud.entities.reader, 6 * LEAST_EVENTS - 1)


async def test_a_deleted_entity_comes_back_from_its_snapshot(
    crud: Crud, config: Settings, rows_read: list[int]
) -> None:
    sent = '{ "n": 1.0, "z": -0 }'
    await crud.create("u", sent)
    await crud.delete("u")
    for _ in range(LEAST_EVENTS):
        await crud.foreign("u")
    version = LEAST_EVENTS + 2
    assert (await crud.get("u")).json["version"] == 2
    await until(lambda: snapshots(config) == [version])
    rows_read.clear()
    assert (await crud.get("u", "?deleted=true")).body.decode() == sent
    restored = await crud.call("POST", "/v1/entities/User/u/restore", If_Match=f'"{version}"')
    assert (restored.status, restored.json["version"]) == (200, version + 1)
    assert rows_read == [1, 1]
    assert (await crud.get("u")).body.decode() == sent
    await same_as_refolded(crud.entities.reader, version)


async def test_an_entity_of_foreign_events_only_is_absent_by_its_snapshot_too(crud: Crud, config: Settings) -> None:
    for _ in range(LEAST_EVENTS):
        await crud.foreign("u")
    assert (await crud.get("u")).said == (404, "not-found")
    await until(lambda: snapshots(config) == [LEAST_EVENTS])
    assert (await crud.get("u")).said == (404, "not-found")
    assert (await crud.get("u", "?deleted=true")).said == (404, "not-found")
    assert (await crud.create("u", {"a": 1})).json["version"] == LEAST_EVENTS + 1
