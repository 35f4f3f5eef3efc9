"""Entities of a registered type are held against its schema whenever they are written."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from crud_svc.types import validators
from crud_svc.types.validators import SEEN_WITHIN_S
from eskit.settings import Settings
from infra.local.postgres import PostgresServer
from tests.integration.crud_batches import BATCH, NDJSON, body_of, create, merge, said, send
from tests.integration.crud_calls import Crud, Reply, crud_service, path
from tests.integration.types_calls import PERSON, put_type, register
from tests.services import config_for, until
from tests.stack import migrate


@pytest.fixture
async def crud(config: Settings) -> AsyncIterator[Crud]:
    async with crud_service(config) as service:
        yield service


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that validators see: a list whose one entry may be changed."""
    now = [0.0]
    monkeypatch.setattr(validators, "monotonic", lambda: now[0])
    return now


def violations(reply: Reply) -> list[tuple[str, str]]:
    assert reply.said == (422, "schema-violated"), reply.body
    return sorted((one["pointer"], one["schema_pointer"]) for one in reply.json["violations"])


async def schema_versions(crud: Crud, kind: str = "User") -> list[str | None]:
    return [json.loads(e.metadata).get("schema_version") for e in await crud.events() if e.entity_type == kind]


async def test_all_violations_are_answered_and_nothing_is_stored(crud: Crud) -> None:
    await register(crud)
    reply = await crud.create("u", {"age": -1.5, "mail": "x"})
    assert violations(reply) == [
        ("", "/additionalProperties"),
        ("", "/required"),
        ("/age", "/properties/age/minimum"),
        ("/age", "/properties/age/type"),
    ]
    assert (reply.json["entity_type"], reply.json["schema_version"], reply.json["more"]) == ("User", 1, 0)
    assert all(one["message"] for one in reply.json["violations"])
    assert (await crud.call("POST", "/v1/entities/User", {})).said == (422, "schema-violated")
    assert (await crud.get("u")).said == (404, "not-found")
    many = await crud.create("u", {f"k{n}": 1 for n in range(3)} | {"name": 7, "age": [0] * 3})
    assert len(violations(many)) == 3


async def test_every_way_to_write_is_validated_by_what_it_leads_to(crud: Crud) -> None:
    await crud.create("old", {"age": "old"})
    await crud.create("u", {"name": "Ann", "age": 1})
    await register(crud)
    assert violations(await crud.put("u", {"name": 1})) == [("/name", "/properties/name/type")]
    assert violations(await crud.merge("u", {"name": None})) == [("", "/required")]
    assert violations(await crud.patch("u", [{"op": "replace", "path": "/age", "value": None}])) == [
        ("/age", "/properties/age/type")
    ]
    assert (await crud.merge("u", {"age": 2})).json["version"] == 2
    assert (await crud.delete("u")).status == 204
    assert (await crud.call("POST", path("u") + "/restore", If_Match="*")).json["version"] == 4
    # What was stored before stays readable, may be deleted or mended, and not be written as it was.
    assert (await crud.get("old")).json == {"age": "old"}
    assert violations(await crud.merge("old", {"age": "older"})) == [
        ("", "/required"),
        ("/age", "/properties/age/type"),
    ]
    assert (await crud.put("old", {"name": "Old"})).json["version"] == 2
    back = await crud.call("POST", path("old") + "/restore?version=1", If_Match="*")
    assert violations(back) == [("", "/required"), ("/age", "/properties/age/type")]
    assert (await crud.delete("old")).status == 204
    assert violations(await crud.call("POST", path("old") + "/restore?version=1", If_Match="*"))


async def test_the_metadata_says_which_version_a_document_was_held_against(crud: Crud) -> None:
    await crud.create("u", {"name": "Ann"})
    await register(crud)
    await crud.merge("u", {"age": 1}, Eskit_User="ann")
    await put_type(crud, PERSON | {"title": "two"})
    await crud.merge("u", {"age": 2})
    await crud.delete("u")
    await crud.call("POST", path("u") + "/restore", If_Match="*")
    assert await schema_versions(crud) == [None, "1", "2", None, "2"]
    [_, second, *_] = (await crud.history("u")).json["events"]
    assert (second["metadata"]["schema_version"], second["user"]) == ("1", "ann")
    [batch] = await send(crud, create("v", {"name": "x"}, metadata={"schema_version": "9"}))
    assert (batch["status"], batch["problem"]["field"]) == (422, "metadata")
    lie = await crud.create("v", {"name": "x"}, Eskit_Metadata='{"schema_version": "9"}')
    assert (lie.said, lie.json["field"]) == ((422, "invalid-request"), "Eskit-Metadata")


async def test_types_that_are_not_registered_take_any_document(crud: Crud) -> None:
    await register(crud, name="Users")
    await register(crud, name="my.User")
    assert (await crud.create("u", {"any": [None]})).status == 201


async def test_numbers_are_compared_as_they_were_sent(crud: Crud) -> None:
    await crud.call(
        "PUT",
        "/v1/types/User",
        '{"schema": {"properties": {"n": {"type": "integer", "maximum": 12345678901234567890}, '
        '"p": {"multipleOf": 0.01}}}}',
        If_None_Match="*",
    )
    for taken in ('{"n": 1.0}', '{"n": 1e2}', '{"n": 12345678901234567890}', '{"p": 4.35}', '{"p": 0.070}'):
        assert (await crud.call("POST", "/v1/entities/User", taken)).status == 201, taken
    for refused in ('{"n": 1.5}', '{"n": 12345678901234567891}', '{"p": 4.355}', '{"p": 0.0700000000000000000001}'):
        assert (await crud.call("POST", "/v1/entities/User", refused)).said == (422, "schema-violated"), refused


async def test_a_write_sent_again_under_another_schema_gets_its_first_answer(crud: Crud) -> None:
    first = await crud.create("u", {"mail": "x"}, Idempotency_Key="k")
    await register(crud)
    again = await crud.create("u", {"mail": "x"}, Idempotency_Key="k")
    assert (again.status, again.json) == (first.status, first.json) == (201, {"id": "u", "version": 1, "position": 1})
    assert (await crud.create("v", {"mail": "x"}, Idempotency_Key="m")).said == (422, "schema-violated")
    assert (await crud.create("v", {"name": "x"}, Idempotency_Key="m")).status == 201


async def test_the_process_that_changes_a_type_knows_at_once(crud: Crud, clock: list[float]) -> None:
    assert (await crud.create("a", {"n": 1})).status == 201
    await register(crud)
    assert (await crud.create("b", {"n": 1})).said == (422, "schema-violated")
    await put_type(crud, {})
    assert (await crud.create("b", {"n": 1})).status == 201


async def test_other_processes_know_within_a_second(config: Settings, clock: list[float]) -> None:
    async with crud_service(config) as one, crud_service(config) as other:
        assert (await other.create("a", {"n": 1})).status == 201
        await register(one)
        clock[0] += SEEN_WITHIN_S + 0.001
        assert (await other.create("b", {"n": 1})).said == (422, "schema-violated")
        await put_type(one, {"type": "object"})
        clock[0] += SEEN_WITHIN_S + 0.001
        assert (await other.create("b", {"n": 1})).status == 201
        assert await schema_versions(one) == [None, "2"]


async def test_nothing_is_refused_for_a_state_that_others_have_changed(config: Settings) -> None:
    async with crud_service(config) as one, crud_service(config) as other:
        await one.create("u", {"a": 1})
        await other.merge("u", {"b": 1})
        await register(one, {"required": ["b"]})
        merged = await one.merge("u", {"c": 1})
        assert (merged.status, merged.json["version"]) == (200, 3)
        assert (await other.get("u")).json == {"a": 1, "b": 1, "c": 1}


async def test_within_that_second_writes_ask_nobody(
    crud: Crud, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    await register(crud)
    asked = []
    found = validators.Validators._found

    async def counted(self: validators.Validators, entity_type: str, asked_at: float) -> Any:
        asked.append(entity_type)
        return await found(self, entity_type, asked_at)

    monkeypatch.setattr(validators.Validators, "_found", counted)
    await asyncio.gather(*(crud.create(f"u{n}", {"name": "x"}) for n in range(30)))
    await asyncio.gather(*(crud.create(f"o{n}", {}, kind="Other") for n in range(30)))
    assert sorted(asked) == ["Other", "User"]
    clock[0] += SEEN_WITHIN_S + 0.001
    await asyncio.gather(*(crud.create(f"w{n}", {}, kind="Other") for n in range(30)))
    assert sorted(asked) == ["Other", "Other", "User"]


async def test_without_its_database_nothing_is_taken_unseen(private_postgres: PostgresServer) -> None:
    migrate(private_postgres.url)
    async with crud_service(config_for(private_postgres.url, pool_wait_s=0.3)) as crud:
        await register(crud)
        private_postgres.stop("fast")
        assert (await crud.create("u", {"mail": "x"})).status in {422, 503}
        assert (await put_type(crud, {})).status == 503
        assert (await crud.call("GET", "/v1/types")).status == 503
        private_postgres.start()

        async def refuses_again() -> bool:
            return (await crud.create("u", {"mail": "x"})).said == (422, "schema-violated")

        await until(refuses_again)
        assert (await crud.create("u", {"name": "x"})).status == 201


async def test_a_type_whose_new_schema_breaks_its_mode_stays_as_it_is(crud: Crud) -> None:
    await register(crud, compatibility="backward")
    stricter = PERSON | {"required": ["name", "age"]}
    refused = await put_type(crud, stricter)
    assert refused.said == (409, "incompatible-schema")
    [one] = refused.json["incompatibilities"]
    assert (one["direction"], one["pointer"], one["reason"]) == ("backward", "/required", "stricter")
    assert "'age'" in one["message"]
    assert (await put_type(crud, stricter, compatibility="forward")).json["version"] == 2
    assert (await put_type(crud, PERSON)).said == (409, "incompatible-schema")
    assert (await put_type(crud, PERSON, compatibility="none")).json["version"] == 3
    assert (await put_type(crud, {"title": "any"})).json["version"] == 4
    again = await put_type(crud, stricter, '"1"', compatibility="full")
    assert again.said == (412, "precondition-failed")


async def test_batches_are_validated_line_by_line(crud: Crud) -> None:
    await register(crud)
    results = await send(
        crud, create("a", {"name": "A"}), create("b", {"age": 1}), merge("a", {"age": "x"}), merge("a", {"age": 2})
    )
    assert said(results) == [(201, 1), (422, "schema-violated"), (422, "schema-violated"), (200, 2)]
    assert [one["pointer"] for one in results[1]["problem"]["violations"]] == [""]
    assert await schema_versions(crud) == ["1", "1"]


async def test_of_an_atomic_batch_nothing_is_stored_when_one_document_does_not_fit(crud: Crud) -> None:
    await register(crud)
    lines = [create("a", {"name": "A"}), create("o", {}, kind="Other"), create("b", {"age": 1})]
    refused = await crud.call("POST", BATCH + "?atomic=true", body_of(lines), Content_Type=NDJSON)
    assert (refused.said, refused.json["line"]) == ((422, "schema-violated"), 3)
    assert await schema_versions(crud) == []
    await send(crud, *lines[:2], merge("a", {"age": 1}), query="?atomic=true")
    assert await schema_versions(crud) == ["1", "1"]
    assert await schema_versions(crud, "Other") == [None]
