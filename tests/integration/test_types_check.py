"""Dry runs: how many of the stored entities would violate a schema, and which are the first."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from crud_svc.types import dry_run
from eskit.ids import uuid7
from eskit.names import EventType
from eskit.settings import Settings
from eventstore_svc.store import NewEvent
from tests.integration.crud_calls import Crud, crud_service
from tests.integration.types_calls import PERSON, check_type, register

NDJSON = "application/x-ndjson"


@pytest.fixture
async def crud(config: Settings) -> AsyncIterator[Crud]:
    async with crud_service(config) as service:
        yield service


async def fill(crud: Crud, documents: dict[str, Any], kind: str = "User") -> None:
    """Entities, as fast as they can be stored."""
    await crud.store.append(
        [
            NewEvent(
                event_id=uuid7(),
                id_is_given=False,
                type=EventType(kind, "Created"),
                originator_id=ident,
                payload=json.dumps(document).encode(),
                metadata=b"{}",
            )
            for ident, document in documents.items()
        ]
    )


async def test_what_would_violate_a_schema_is_counted_and_the_first_twenty_are_shown(crud: Crud) -> None:
    await fill(crud, {f"bad{n:02}": {"age": "x"} for n in range(25)} | {f"good{n}": {"name": "x"} for n in range(30)})
    await fill(crud, {"other": {"age": "x"}}, kind="Users")
    await crud.delete("bad00")
    await crud.merge("good0", {"age": 1})
    await crud.foreign("good1")
    events = len(await crud.events())
    found = (await check_type(crud, PERSON)).json
    assert (found["checked"], found["violating"], found["incompatibilities"]) == (54, 24, [])
    assert [one["id"] for one in found["first"]] == [f"bad{n:02}" for n in range(1, 21)]
    assert found["first"][0]["version"] == 1
    assert sorted(one["pointer"] for one in found["first"][0]["violations"]) == ["", "/age"]
    assert len(await crud.events()) == events
    assert (await crud.call("GET", "/v1/types/User")).said == (404, "not-found")


async def test_the_violations_of_one_entity_are_bounded(crud: Crud) -> None:
    await fill(crud, {"u": {f"k{n}": 1 for n in range(150)}})
    [one] = (await check_type(crud, {"additionalProperties": {"type": "string"}})).json["first"]
    assert (len(one["violations"]), one["more"]) == (10, 140)


async def test_of_a_type_without_entities_there_is_nothing_to_say(crud: Crud) -> None:
    assert (await check_type(crud, PERSON, "Nobody")).json == {
        "checked": 0,
        "violating": 0,
        "first": [],
        "incompatibilities": [],
    }


async def test_long_ones_tell_how_far_they_have_come_and_end_with_the_result(
    crud: Crud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dry_run, "PAGE", 20)
    await fill(crud, {f"u{n:02}": {"age": n} for n in range(50)})
    reply = await check_type(crud, {"properties": {"age": {"maximum": 44}}}, Accept=NDJSON)
    assert (reply.status, reply.headers["Content-Type"]) == (200, NDJSON)
    *progress, result = map(json.loads, reply.body.splitlines())
    assert progress == [
        {"checked": 20, "violating": 0},
        {"checked": 40, "violating": 0},
        {"checked": 50, "violating": 5},
    ]
    assert (result["checked"], result["violating"], len(result["first"])) == (50, 5, 5)


async def test_the_result_says_whether_the_schema_would_be_refused(crud: Crud) -> None:
    await register(crud, compatibility="backward")
    await crud.create("u", {"name": "Ann", "age": 3})
    stricter = PERSON | {"required": ["name", "age"]}
    found = (await check_type(crud, stricter)).json
    assert (found["checked"], found["violating"]) == (1, 0)
    assert [one["pointer"] for one in found["incompatibilities"]] == ["/required"]
    relaxed = await crud.call("POST", "/v1/types/User:check", {"schema": stricter, "compatibility": "none"})
    assert relaxed.json["incompatibilities"] == []


async def test_bad_requests_are_refused_before_anything_is_read(crud: Crud) -> None:
    for schema, field in (
        ({"type": "strange"}, "/schema/type"),
        ({"$ref": "http://127.0.0.1/x"}, "/schema/$ref"),
        ({"pattern": "("}, "/schema/pattern"),
    ):
        for accept in ("*/*", NDJSON):
            reply = await check_type(crud, schema, Accept=accept)
            assert (*reply.said, reply.json["field"]) == (422, "invalid-request", field)
    assert (await check_type(crud, {}, "no%20name")).said == (422, "invalid-request")
    assert (await crud.call("POST", "/v1/types/User:check?limit=3", {"schema": {}})).said == (422, "invalid-request")


async def test_two_run_at_a_time_and_no_more(crud: Crud, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(crud, {"u": {}})
    started, go_on = asyncio.Semaphore(0), asyncio.Event()
    add = dry_run.DryRuns._add

    async def held(self: dry_run.DryRuns, *args: Any) -> None:
        started.release()
        await go_on.wait()
        await add(self, *args)

    monkeypatch.setattr(dry_run.DryRuns, "_add", held)
    running = [asyncio.create_task(check_type(crud, PERSON)) for _ in range(2)]
    await started.acquire()
    await started.acquire()
    third = await check_type(crud, PERSON)
    assert third.said == (503, "overloaded")
    assert int(third.headers["Retry-After"]) >= 1
    go_on.set()
    assert [reply.json["violating"] for reply in await asyncio.gather(*running)] == [1, 1]
    assert (await check_type(crud, PERSON)).json["violating"] == 1


async def test_a_client_that_leaves_ends_its_run(crud: Crud, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(crud, {"u": {}})
    started, ended = asyncio.Event(), asyncio.Event()

    async def hanging(self: dry_run.DryRuns, *args: Any) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    monkeypatch.setattr(dry_run.DryRuns, "_add", hanging)
    leaving = asyncio.create_task(check_type(crud, PERSON))
    await started.wait()
    leaving.cancel()
    await ended.wait()
