"""The CRUD service: what it stores and what it answers, and the faults of its forerunner as tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from uuid import UUID

import pytest

from eskit.settings import Settings
from tests.integration.crud_calls import Crud, crud_service, path


@pytest.fixture
async def crud(config: Settings) -> AsyncIterator[Crud]:
    async with crud_service(config) as service:
        yield service


async def test_the_life_of_an_entity(crud: Crud) -> None:
    created = await crud.call("POST", "/v1/entities/User", {"name": "Ann"})
    assert created.status == 201
    ident = created.json["id"]
    assert UUID(ident).version == 7
    assert created.json == {"id": ident, "version": 1, "position": 1}
    assert created.headers["ETag"] == '"1"'
    assert created.headers["Location"] == path(ident)
    assert created.headers["Eskit-Position"] == "1"

    got = await crud.get(ident)
    assert (got.status, got.json, got.headers["ETag"]) == (200, {"name": "Ann"}, '"1"')
    assert got.headers["Eskit-Position"] == "1"
    parsedate_to_datetime(got.headers["Last-Modified"])

    put = await crud.put(ident, {"name": "Ann", "age": 30}, match='"1"')
    assert (put.status, put.json, put.headers["ETag"]) == (200, {"id": ident, "version": 2, "position": 2}, '"2"')
    merged = await crud.merge(ident, {"age": None, "city": "Bern"}, match='"2"')
    assert (merged.status, merged.json["version"]) == (200, 3)
    patched = await crud.patch(ident, [{"op": "replace", "path": "/city", "value": "Basel"}], match='"3"')
    assert (patched.status, patched.json["version"]) == (200, 4)
    assert (await crud.get(ident)).json == {"name": "Ann", "city": "Basel"}
    assert (await crud.get(ident, "?version=2")).json == {"name": "Ann", "age": 30}

    deleted = await crud.delete(ident, match='"4"')
    assert (deleted.status, deleted.body, deleted.headers["Eskit-Position"]) == (204, b"", "5")
    gone = await crud.get(ident)
    assert (gone.said, gone.json["version"]) == ((410, "deleted"), 5)
    assert [action for action, _ in await crud.payloads(ident)] == [
        "Created",
        "Updated",
        "Updated",
        "Updated",
        "Deleted",
    ]


async def test_a_document_comes_back_as_it_was_sent(crud: Crud) -> None:
    sent = '{ "n":1.0, "big": 12345678901234567890, "e":1e0, "z":-0, "s":"\\u00e4\\/", "list":[null,{"x":null}] }'
    await crud.create("u", sent)
    assert (await crud.get("u")).body.decode() == sent
    assert (await crud.payloads("u")) == [("Created", sent)]
    await crud.merge("u", '{"more":0.10}')
    assert (await crud.get("u")).body.decode() == (
        '{"n":1.0,"big":12345678901234567890,"e":1e0,"z":-0,"s":"ä/","list":[null,{"x":null}],"more":0.10}'
    )
    await crud.put("u", (await crud.get("u")).body.replace(b"1.0", b"1"))
    assert (await crud.payloads("u"))[-1] == ("Updated", '{"merge_patch":{"n":1}}')


async def test_delete_needs_a_version(crud: Crud) -> None:
    await crud.create("u", {})
    without = await crud.call("DELETE", path("u"))
    assert without.said == (428, "precondition-required")
    stale = await crud.delete("u", match='"2"')
    assert (stale.said, stale.json["version"]) == ((412, "precondition-failed"), 1)
    assert (await crud.get("u")).status == 200


async def test_one_foreign_event_does_not_make_the_entity_un_updatable(crud: Crud) -> None:
    await crud.create("u", {"a": 1})
    await crud.foreign("u", "Approved")
    await crud.foreign("u", "Updated", b'{"not":"a patch of ours"}')
    got = await crud.get("u")
    assert (got.json, got.headers["ETag"]) == ({"a": 1}, '"3"')
    assert (await crud.put("u", {"a": 2}, match='"3"')).json["version"] == 4
    assert (await crud.merge("u", {"a": 3})).json["version"] == 5
    assert (await crud.get("u")).json == {"a": 3}
    said = (await crud.history("u")).json["events"]
    assert [(e["version"], e["action"], e["changes"]) for e in said] == [
        (1, "Created", [{"path": "/a", "new": 1}]),
        (2, "Approved", []),
        (3, "Updated", []),
        (4, "Updated", [{"path": "/a", "old": 1, "new": 2}]),
        (5, "Updated", [{"path": "/a", "old": 2, "new": 3}]),
    ]
    assert (await crud.delete("u", match='"5"')).status == 204


async def test_explicit_nulls_are_kept_also_inside_arrays(crud: Crud) -> None:
    await crud.create("u", {"a": 1, "list": []})
    new = {"a": None, "list": [None, {"b": None}], "deep": {"c": {"d": None}}}
    assert (await crud.put("u", new)).status == 200
    assert (await crud.get("u")).json == new
    assert (await crud.put("u", {"list": [1, None]})).status == 200
    assert (await crud.get("u")).json == {"list": [1, None]}
    kinds = [payload[2:13] for _, payload in (await crud.payloads("u"))[1:]]
    assert kinds == ['json_patch"', "merge_patch"]


async def test_a_no_op_writes_no_event(crud: Crud) -> None:
    await crud.create("u", '{"a":1,"b":[2]}')
    await crud.create("other", {})
    for reply in (
        await crud.put("u", '{"b":[2],"a":1}', match='"1"'),
        await crud.merge("u", '{"a":1,"gone":null}', match='"1"'),
        await crud.patch("u", '[{"op":"test","path":"/a","value":1.0}]', match='"1"'),
        await crud.patch("u", "[]", Idempotency_Key="k"),
    ):
        assert (reply.status, reply.json) == (200, {"id": "u", "version": 1, "position": 1})
        assert (reply.headers["ETag"], reply.headers["Eskit-Position"]) == ('"1"', "1")
    assert len(await crud.events()) == 2


async def test_two_clients_with_two_patch_formats_write_one_kind_of_event(crud: Crud) -> None:
    for ident in ("one", "two"):
        await crud.create(ident, {"a": 1, "b": 2})
    await crud.merge("one", {"a": 9, "b": None})
    await crud.patch("two", [{"op": "remove", "path": "/b"}, {"op": "replace", "path": "/a", "value": 9}])
    assert (await crud.payloads("one"))[1] == (await crud.payloads("two"))[1]


async def test_types_do_not_share_a_stream(crud: Crud) -> None:
    await crud.create("same", {"is": "user"})
    await crud.create("same", {"is": "org"}, kind="com.acme.Org")
    assert (await crud.get("same")).json == {"is": "user"}
    assert (await crud.get("same", kind="com.acme.Org")).json == {"is": "org"}


IDS = ["a/b", "a b", "ä/☃😀", "100%", "a?b#c", "a%2Fb", "..x", "{id}", "a+b&c=d", "'\";<>", "x/history", "~.-_", "é",
       "\u202e", "%FF", "/", "x" * 200]  # fmt: skip


async def test_any_printable_id(crud: Crud) -> None:
    for ident in IDS:
        created = await crud.create(ident, {"id": ident})
        assert (created.status, created.json.get("id")) == (201, ident), created.body
        assert (await crud.get(ident)).json == {"id": ident}
        assert (await crud.call("GET", created.headers["Location"])).json == {"id": ident}
        assert (await crud.history(ident)).status == 200
    assert [event.originator_id for event in await crud.events()] == IDS


async def test_what_is_said_about_the_event(crud: Crud) -> None:
    await crud.create(
        "u",
        {},
        Eskit_User="ann",
        Eskit_Correlation_Id="c-1",
        Eskit_Causation_Id="e-1",
        Eskit_Metadata='{"reason":"\\u00e4ndern"}',
        Eskit_Occurred_On="2026-01-31T12:00:00.5+01:00",
        Idempotency_Key="0195d3f0-0000-7000-8000-000000000001",
    )
    (said,) = (await crud.history("u")).json["events"]
    recorded = said.pop("recorded_at")
    assert recorded.endswith("Z")
    assert said == {
        "version": 1,
        "position": 1,
        "event_id": "0195d3f0-0000-7000-8000-000000000001",
        "event_type": "User.Created",
        "action": "Created",
        "user": "ann",
        "correlation_id": "c-1",
        "causation_id": "e-1",
        "metadata": {"reason": "ändern", "user": "ann", "correlation_id": "c-1", "causation_id": "e-1"},
        "occurred_on": "2026-01-31T11:00:00.500000Z",
        "changes": [],
    }


async def test_the_document_as_the_answer_where_it_is_preferred(crud: Crud) -> None:
    created = await crud.create("u", '{"a": 1.0}', Prefer="return=representation")
    assert (created.status, created.body) == (201, b'{"a": 1.0}')
    assert created.headers["Preference-Applied"] == "return=representation"
    assert (created.headers["ETag"], created.headers["Eskit-Position"]) == ('"1"', "1")
    merged = await crud.merge("u", {"b": 2}, Prefer="respond-async, return=representation; x=1")
    assert (merged.body, merged.headers["ETag"]) == (b'{"a":1.0,"b":2}', '"2"')
    nothing = await crud.merge("u", {"b": 2}, Prefer="return=representation")
    assert (nothing.body, nothing.headers["ETag"]) == (b'{"a":1.0,"b":2}', '"2"')
    assert (await crud.merge("u", {"b": 3}, Prefer="return=minimal")).json["version"] == 3
    first_counts = await crud.merge("u", {"b": 4}, Prefer="return=minimal, return=representation")
    assert first_counts.json["version"] == 4
    assert (await crud.merge("u", {"b": 5}, Prefer='Return = "representation", return=minimal')).json["b"] == 5


async def test_readiness_and_metrics(crud: Crud) -> None:
    ready = await crud.call("GET", "/readyz")
    assert (ready.status, ready.json["checks"]) == (200, {"database": "ok"})
    await crud.create("u", {})
    await crud.merge("u", {"a": 1})
    text = (await crud.call("GET", "/metrics")).body.decode()
    assert 'route="/v1/entities/{entity_type}/{id}"' in text
