"""Types: registering, changing, reading them, and the faults of the forerunner's as tests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from eskit.settings import Settings
from tests.integration.crud_batches import BATCH, NDJSON, body_of, line
from tests.integration.crud_calls import Crud, crud_service
from tests.integration.eventstore_calls import Api
from tests.integration.types_calls import PERSON, put_type, register, type_path


@pytest.fixture
async def crud(config: Settings) -> AsyncIterator[Crud]:
    async with crud_service(config) as service:
        yield service


async def test_the_life_of_a_type(crud: Crud) -> None:
    registered = await register(crud, compatibility="backward", Eskit_User="ann")
    assert (registered.status, registered.json) == (201, {"type": "User", "version": 1, "position": 1})
    assert registered.headers["Location"] == type_path()
    assert (registered.headers["ETag"], registered.headers["Eskit-Position"]) == ('"1"', "1")

    wider = PERSON | {"required": []}
    changed = await put_type(crud, wider, '"1"')
    assert (changed.status, changed.json["version"], changed.headers["ETag"]) == (200, 2, '"2"')

    got = await crud.call("GET", type_path())
    assert (got.status, got.headers["ETag"], got.json["schema"]) == (200, '"2"', wider)
    assert (got.json["type"], got.json["version"], got.json["compatibility"]) == ("User", 2, "backward")
    first = await crud.call("GET", type_path() + "?version=1")
    assert (first.json["schema"], first.headers["ETag"]) == (PERSON, '"1"')
    assert (await crud.call("GET", type_path(), If_None_Match='"2"')).status == 304
    assert (await crud.call("GET", type_path() + "?version=3")).said == (404, "not-found")
    assert (await crud.call("GET", type_path("Nobody"))).said == (404, "not-found")

    history = (await crud.call("GET", type_path() + "/history")).json
    assert [(e["version"], e["user"], e["event_type"]) for e in history["events"]] == [
        (1, "ann", "eskit.Type.Created"),
        (2, None, "eskit.Type.Updated"),
    ]
    assert history["events"][1]["changes"] == [{"path": "/schema/required", "old": ["name"], "new": []}]


async def test_preconditions_are_those_of_entities(crud: Crud) -> None:
    assert (await crud.call("PUT", type_path(), {"schema": {}})).said == (428, "precondition-required")
    assert (await put_type(crud, {}, '"1"')).said == (404, "not-found")
    await register(crud)
    assert (await register(crud, {})).said == (412, "precondition-failed")
    stale = await put_type(crud, {}, '"2"')
    assert (stale.said, stale.json["version"]) == ((412, "precondition-failed"), 1)
    assert (await put_type(crud, {}, 'W/"1"')).said == (422, "invalid-request")
    assert (await put_type(crud, {}, '"7", "1"')).json["version"] == 2
    both = await crud.call("PUT", type_path(), {"schema": {}}, If_Match="*", If_None_Match="*")
    assert both.said == (422, "invalid-request")


async def test_schema_versions_never_go_back(crud: Crud) -> None:
    await register(crud, {"title": "one"})
    for title in ("two", "one", "three"):
        await put_type(crud, {"title": title})
    assert (await crud.call("GET", type_path())).json["version"] == 4
    versions = [(await crud.call("GET", f"{type_path()}?version={n}")).json["schema"]["title"] for n in (1, 2, 3, 4)]
    assert versions == ["one", "two", "one", "three"]
    sent = await crud.call("PUT", type_path(), {"schema": {}, "version": 2}, If_Match="*")
    assert (sent.said, sent.json["field"]) == ((422, "invalid-request"), "version")


async def test_two_who_change_a_type_at_the_same_time_do_not_overwrite_each_other(config: Settings) -> None:
    async with crud_service(config) as one, crud_service(config) as other:
        await register(one, {})
        replies = await asyncio.gather(
            *(put_type(crud, {"title": f"{n}"}, '"1"') for n, crud in enumerate([one, other] * 3))
        )
        assert sorted(reply.status for reply in replies) == [200, 412, 412, 412, 412, 412]
        assert [(await crud.call("GET", type_path())).json["version"] for crud in (one, other)] == [2, 2]


async def test_the_same_again_is_no_new_version(crud: Crud) -> None:
    skip = "?skip_duplicate=true"
    assert (await register(crud, query=skip)).status == 201
    again = await register(crud, query=skip)
    assert (again.status, again.json, again.headers["ETag"]) == (
        200,
        {"type": "User", "version": 1, "position": 1},
        '"1"',
    )
    assert (await register(crud)).said == (412, "precondition-failed")
    assert (await put_type(crud, PERSON, '"1"')).json["version"] == 1
    assert (await put_type(crud, PERSON, '"9"', query=skip)).json["version"] == 1
    assert (await put_type(crud, PERSON, '"9"')).said == (412, "precondition-failed")
    assert (await register(crud, {}, query=skip)).said == (412, "precondition-failed")
    other_mode = await put_type(crud, PERSON, '"1"', query=skip, compatibility="full")
    assert other_mode.json["version"] == 2
    assert len(await crud.events()) == 2


async def test_a_write_sent_again_is_stored_once(crud: Crud) -> None:
    first = await register(crud, Idempotency_Key="k")
    changed = await put_type(crud, {}, '"1"', Idempotency_Key="m")
    again = await register(crud, Idempotency_Key="k")
    assert (again.status, again.json) == (first.status, first.json)
    assert (await put_type(crud, {}, '"1"', Idempotency_Key="m")).json == changed.json
    assert (await put_type(crud, {"title": "x"}, '"2"', Idempotency_Key="m")).said == (409, "event-id-reused")
    assert len(await crud.events()) == 2


async def test_the_list_shows_twenty_types_and_where_to_go_on(crud: Crud) -> None:
    names = [f"T{n:02}" for n in range(23)]
    for name in reversed(names):
        await register(crud, {"title": name}, name)
    await crud.create("u", {}, kind="Unregistered")
    page = (await crud.call("GET", "/v1/types")).json
    assert [entry["type"] for entry in page["types"]] == names[:20]
    assert (page["types"][3]["schema"], page["types"][3]["version"]) == ({"title": "T03"}, 1)
    rest = (await crud.call("GET", f"/v1/types?after={page['next']}&limit=3")).json
    assert ([entry["type"] for entry in rest["types"]], rest["next"]) == (names[20:], None)
    for query in ("limit=0", "limit=101", "after=a%20b", "cursor=x"):
        assert (await crud.call("GET", f"/v1/types?{query}")).said == (422, "invalid-request"), query


async def test_a_schema_comes_back_as_it_was_sent(crud: Crud) -> None:
    schema = '{"properties":{"n":{"multipleOf":0.10,"maximum":12345678901234567890},"é/~":{"const":1.0}},"x-order":1e2}'
    sent = await crud.call("PUT", type_path(), f'{{"schema":{schema}}}', If_None_Match="*")
    assert sent.status == 201, sent.body
    assert schema.encode() in (await crud.call("GET", type_path())).body


@pytest.mark.parametrize("name", ["eskit.Type", "eskit", "eskit.Other.Thing"])
async def test_no_user_reaches_the_stream_of_types(crud: Crud, name: str) -> None:
    """A type's registration once lived in the users' namespace."""
    await register(crud)
    before = (await crud.call("GET", type_path())).json
    for reply in (
        await crud.create("User", {"schema": {}}, kind=name),
        await crud.call("POST", f"/v1/entities/{name}", {}),
        await crud.call("DELETE", f"/v1/entities/{name}/User", If_Match="*"),
        await crud.call(
            "PATCH", f"/v1/entities/{name}/User", {}, If_Match="*", Content_Type="application/merge-patch+json"
        ),
        await crud.call("POST", f"/v1/entities/{name}/User/restore?version=1", If_Match="*"),
        await register(crud, {}, name),
    ):
        assert (reply.said, reply.json["field"]) == ((422, "invalid-request"), "entity_type")
    for query in ("", "?atomic=true"):
        lines = body_of([line("merge_patch", "User", name, patch={"schema": {}}, if_match="*")])
        batch = await crud.call("POST", BATCH + query, lines, Content_Type=NDJSON)
        problem = json.loads(batch.body) if query else json.loads(batch.body)["problem"]
        assert (problem["status"], problem["field"]) == (422, "type")
    assert (await crud.call("GET", type_path())).json == before


@pytest.mark.parametrize("event_type", ["eskit.Type.Updated", "eskit.Type.Created", "eskit.X", "eskit.a.b.C"])
async def test_the_event_store_lets_nobody_reach_it_either(api: Api, event_type: str) -> None:
    event = {"originator": {"id": "User"}, "event_type": event_type, "payload": {}}
    for path, body, field in (
        ("/v1/events", event, "event_type"),
        ("/v1/events", {"events": [{**event, "event_type": "A.B"}, event]}, "events[1].event_type"),
    ):
        status, answer, _ = await api.call("POST", path, json=body)
        assert (status, answer["field"]) == (422, field)
    _, batch, _ = await api.call("POST", "/v1/events/batch", json={"appends": [event]})
    assert [result["status"] for result in batch["results"]] == [422]


async def test_a_user_type_with_a_name_like_that_of_types_is_a_type_as_any(crud: Crud) -> None:
    for name in ("Type", "eskitType", "my.eskit.Type", "Eskit.Type"):
        assert (await register(crud, name=name)).status == 201
        assert (await crud.create("User", {"name": "x"}, kind=name)).status == 201


async def test_bodies_that_are_none_name_the_field(crud: Crud) -> None:
    for body, said in (
        ("{", (400, "malformed-request", None)),
        ({}, (422, "invalid-request", "schema")),
        ({"schema": []}, (422, "invalid-request", "schema")),
        ({"schema": True}, (422, "invalid-request", "schema")),
        ({"schema": {}, "compatibility": "some"}, (422, "invalid-request", "compatibility")),
        ({"schema": {"type": "strange"}}, (422, "invalid-request", "/schema/type")),
        ({"schema": {"properties": {"a": {"minimum": "1"}}}}, (422, "invalid-request", "/schema/properties/a/minimum")),
        ('{"schema": {"a": 1, "a": 2}}', (422, "invalid-request", "/schema")),
        ({"schema": {"x": "y" * 70_000}}, (422, "invalid-request", "/schema")),
        ({"schema": {"x": "y" * 300_000}}, (413, "too-large", "body")),
    ):
        reply = await crud.call("PUT", type_path(), body, If_None_Match="*")
        assert (*reply.said, reply.json.get("field")) == said, json.dumps(body)[:100]
    assert await crud.events() == []
