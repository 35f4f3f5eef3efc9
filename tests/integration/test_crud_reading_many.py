"""Many entities read with one query are what each of them is by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from crud_svc import database
from crud_svc.entities import reading_many
from crud_svc.entities.reading import Reader
from crud_svc.entities.target import Target
from eskit.settings import Settings
from eventstore_svc.store import EventStore, Fetcher, open_event_store
from tests.integration.appending import new_event
from tests.integration.crud_calls import crud_service
from tests.integration.viewing import Life
from tests.services import until

IDENTS = [f"user-{n}" for n in range(30)] + ["nobody", "é", 'quote"\\{', "NULL"]
TARGETS = [Target("User", ident) for ident in IDENTS] + [Target("Other", "user-1")]


@pytest.fixture
async def store(config: Settings) -> AsyncIterator[EventStore]:
    async with open_event_store(config, "test") as found:
        await Life(7).go_on(found, 900)
        for ident in ("é", 'quote"\\{', "NULL"):
            await found.append([new_event(ident, payload=b'{"a":1.0}', kind="User.Created")])
        await found.append([new_event("user-1", payload=b'{"other":1}', kind="Other.Created")])
        yield found


@pytest.fixture
async def reader(config: Settings, store: EventStore) -> AsyncIterator[Reader]:
    async with database.open_pool(config) as pool:
        yield Reader(Fetcher(pool, "crud_svc"), store, _ignore)


def _ignore(*_: Any, **__: Any) -> None:
    """No snapshots but those that a test wants."""


async def test_they_are_what_each_is_by_itself(reader: Reader) -> None:
    states = await reader.states(TARGETS)
    assert states == {target: await reader.state(target) for target in TARGETS}
    assert states[Target("User", "nobody")].version == 0


async def test_with_snapshots_too(reader: Reader, config: Settings) -> None:
    before = {target: await reader.state(target) for target in TARGETS}
    async with crud_service(config) as crud:
        for n in range(60):
            assert (await crud.put("é", {"n": n})).status == 200

        def is_kept() -> bool:
            with psycopg.connect(config.database_url, autocommit=True) as owner:
                rows = owner.execute("SELECT DISTINCT originator_id FROM crud.snapshots").fetchall()
            return rows == [("é",)]

        await crud.get("é")
        await until(is_kept)
        await crud.put("é", {"behind": "it"})
    states = await reader.states(TARGETS)
    assert states.pop(TARGETS[31]) == await reader.refolded(TARGETS[31])
    assert states == {target: state for target, state in before.items() if target != TARGETS[31]}


@pytest.mark.parametrize(("name", "value"), [("MANY_EVENTS", 20), ("MANY_BYTES", 5000), ("MANY_BYTES", 1)])
async def test_what_is_too_long_is_left_out(
    reader: Reader, monkeypatch: pytest.MonkeyPatch, name: str, value: int
) -> None:
    monkeypatch.setattr(reading_many, name, value)
    states = await reader.states(TARGETS)
    assert len(states) < len(TARGETS)
    assert states == {target: await reader.state(target) for target in states}


async def test_without_the_table_of_snapshots_nothing_is_told(reader: Reader, config: Settings) -> None:
    with psycopg.connect(config.database_url, autocommit=True) as owner:
        owner.execute("DROP TABLE crud.snapshots")
    assert await reader.states(TARGETS) == {}
