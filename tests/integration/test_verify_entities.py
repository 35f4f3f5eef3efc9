"""`eskit verify entities`: what is kept beside the log is held against the log, and every lie is found."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from eskit.settings import Settings
from tests.integration.crud_batches import create, line, merge, send
from tests.integration.crud_calls import Crud, crud_service
from tests.integration.exporting import verify_entities
from tests.services import until

EVENTS = 120
IDENTS = ("u1", "gone", "back", "exact/1")


@pytest.fixture
async def crud(config: Settings) -> AsyncIterator[Crud]:
    """Entities of which several have snapshots; deleted, restored, foreign events among them."""
    async with crud_service(config) as service:
        for ident in IDENTS:
            lines = [create(ident, {"a": 1.0, "text": "é"})]
            await send(service, *lines, *(merge(ident, {"n": n, f"k{n % 7}": [n]}) for n in range(EVENTS - 1)))
        await service.foreign("u1")
        await send(
            service,
            line("delete", "gone", if_match="*"),
            line("delete", "back", if_match="*"),
            line("restore", "back", if_match="*"),
            create("o1", kind="shop.Order"),
        )
        # Those on the way are of versions below the present ones, which have to be folded for the next.
        await until(lambda: _all_have_snapshots(config))
        with psycopg.connect(config.database_url, autocommit=True) as owner:
            owner.execute("TRUNCATE crud.snapshots")
        for ident in IDENTS:
            await service.get(ident)
        await until(lambda: _all_have_snapshots(config))
        yield service


def _all_have_snapshots(config: Settings) -> bool:
    with psycopg.connect(config.database_url, autocommit=True) as owner:
        rows = owner.execute("SELECT DISTINCT originator_id FROM crud.snapshots").fetchall()
    return {ident for (ident,) in rows} == set(IDENTS)


async def test_what_the_service_keeps_is_what_the_events_say(crud: Crud, config: Settings) -> None:
    said = await verify_entities(config)
    assert (said.code, said.err) == (0, "")
    position = (await crud.store.head()).position
    assert said.out.decode().endswith(
        f" snapshots (there is no view), {position} events up to position {position}: no difference\n"
    )
    assert int(said.out.split()[0]) >= 4
    only = await verify_entities(config, "--type", "shop.Order")
    assert only.out.decode().startswith("0 snapshots (there is no view), 1 events")


LIES: list[tuple[str, str]] = [
    ("UPDATE crud.snapshots SET body = replace(body, '1.0', '1') WHERE originator_id = 'u1'", "its document"),
    ("UPDATE crud.snapshots SET body = replace(body, 'é', 'e') WHERE originator_id = 'exact/1'", "its document"),
    ("UPDATE crud.snapshots SET deleted_at = 0 WHERE originator_id = 'gone' AND deleted_at > 0",
     "deleted at version 0, not 121"),
    ("UPDATE crud.snapshots SET position = position - 1 WHERE originator_id = 'back'", "at position"),
    ("UPDATE crud.snapshots SET recorded_at = recorded_at + interval '1 second' WHERE originator_id = 'u1'",
     "another time"),
    ("UPDATE crud.snapshots SET version = version + 1000 WHERE originator_id = 'u1'", "the log has no such event"),
    ("UPDATE crud.snapshots SET originator_id = 'nobody' WHERE originator_id = 'u1'", "the log has no such event"),
    ("UPDATE crud.snapshots SET entity_type = 'Zebra' WHERE originator_id = 'u1'", "the log has no such event"),
    ("UPDATE crud.snapshots SET body = NULL WHERE originator_id = 'u1'", "its document has 0 bytes"),
]  # fmt: skip


@pytest.mark.parametrize(("lie", "found"), LIES)
async def test_a_lie_is_found_and_named(crud: Crud, config: Settings, lie: str, found: str) -> None:
    with psycopg.connect(config.database_url, autocommit=True) as owner:
        changed = owner.execute(lie).rowcount
    assert changed > 0
    said = await verify_entities(config)
    lines = said.out.decode().splitlines()
    assert said.code == 1
    assert len(lines) == changed + 1
    for one in lines[:-1]:
        assert one.startswith("snapshot of "), one
        assert found in one
    assert lines[-1].endswith(f"{changed} differences")


async def test_services_go_on_meanwhile(crud: Crud, config: Settings) -> None:
    """It compares as the log was when it began: what is written later makes no difference."""
    writing = True

    async def write() -> None:
        n = 0
        while writing:
            n += 1
            await send(crud, *(merge("u1", {"n": n + k}) for k in range(60)), create(f"new{n}"))
            await crud.get("u1")

    task = asyncio.create_task(write())
    try:
        for _ in range(2):
            said = await verify_entities(config)
            assert (said.code, said.err) == (0, "")
    finally:
        writing = False
        await task


async def test_snapshots_may_be_dropped(crud: Crud, config: Settings) -> None:
    before: list[Any] = [(await crud.get(ident)).body for ident in IDENTS if ident != "gone"]
    with psycopg.connect(config.database_url, autocommit=True) as owner:
        owner.execute("TRUNCATE crud.snapshots")
    assert [(await crud.get(ident)).body for ident in IDENTS if ident != "gone"] == before
    assert (await verify_entities(config)).code == 0


async def test_what_cannot_be_verified_is_said(config: Settings) -> None:
    away = config.__class__(database_url="postgresql://127.0.0.1:1/none", pool_wait_s=0.5)
    said = await verify_entities(away)
    assert said.code == 1
    assert said.err.splitlines()[-1].startswith("eskit: The database cannot be reached")
    assert "Traceback" not in said.err
    assert (await verify_entities(config, "--type", "a b")).code == 1
    assert (await verify_entities(config, "--unknown")).code == 2
