"""Batches, and lines of them, that are refused."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from eskit.settings import Settings
from tests.integration.crud_batches import BATCH, NDJSON, body_of, create, merge, send
from tests.integration.crud_calls import Crud, crud_service
from tests.integration.types_calls import register


@pytest.fixture
async def crud(config: Settings) -> AsyncIterator[Crud]:
    async with crud_service(config) as service:
        yield service


MALFORMED: list[tuple[bytes, str, str | None]] = [
    (b"{", "malformed-request", None),
    (b"\xff", "malformed-request", None),
    (b"[]", "invalid-request", None),
    (b'{"op":"create"}', "invalid-request", "type"),
    (b'{"op":"upsert","type":"User"}', "invalid-request", "op"),
    (b'{"type":"User"}', "invalid-request", "op"),
    (b'{"op":"create","type":"User","id":"a"}', "invalid-request", "document"),
    (b'{"op":"create","type":"User","document":{},"ident":"a"}', "invalid-request", "ident"),
    (b'{"op":"create","type":"User","document":[]}', "invalid-request", "document"),
    (b'{"op":"create","type":"User","document":{"a":1,"a":2}}', "invalid-request", "/document"),
    (b'{"op":"create","type":"User","type":"User","document":{}}', "invalid-request", ""),
    (b'{"op":"create","type":"User","document":{"a":NaN}}', "malformed-request", None),
    (b'{"op":"create","type":"User","document":{"a":"\\ud800"}}', "malformed-request", None),
    (b'{"op":"create","type":"User","document":' + b'{"a":' * 101 + b"1" + b"}" * 102, "invalid-request",
     "/document" + "/a" * 100),
    (b'{"op":"create","type":"a b","document":{}}', "invalid-request", "type"),
    (b'{"op":"create","type":"eskit.Type","id":"User","document":{}}', "invalid-request", "type"),
    (b'{"op":"delete","type":"eskit.Type","id":"User","if_match":"*"}', "invalid-request", "type"),
    (b'{"op":"create","type":"User","id":"","document":{}}', "invalid-request", "id"),
    (b'{"op":"create","type":"User","id":"..","document":{}}', "invalid-request", "id"),
    (b'{"op":"create","type":"User","id":"a\\u0000","document":{}}', "invalid-request", "id"),
    (b'{"op":"create","type":"User","document":{},"idempotency_key":""}', "invalid-request", "idempotency_key"),
    (b'{"op":"create","type":"User","document":{},"occurred_on":"2026-01-01T00:00:00"}', "invalid-request",
     "occurred_on"),
    (b'{"op":"create","type":"User","document":{},"metadata":{"user":"x"}}', "invalid-request", "user"),
    (b'{"op":"create","type":"User","document":{},"metadata":{"":"x"}}', "invalid-request", "metadata."),
    (b'{"op":"create","type":"User","document":{},"metadata":{"schema_version":"9"}}', "invalid-request",
     "metadata"),
    (b'{"op":"put","type":"User","id":"a","document":{},"if_match":0}', "invalid-request", "if_match"),
    (b'{"op":"put","type":"User","id":"a","document":{},"if_match":"3"}', "invalid-request", "if_match"),
    (b'{"op":"put","type":"User","id":"a","document":{},"if_match":[]}', "invalid-request", "if_match"),
    (b'{"op":"put","type":"User","id":"a","document":{},"if_match":1,"if_none_match":"*"}', "invalid-request",
     "if_none_match"),
    (b'{"op":"merge_patch","type":"User","id":"a","patch":[],"if_match":1}', "invalid-request", "patch"),
    (b'{"op":"json_patch","type":"User","id":"a","patch":[{"op":"add"}],"if_match":1}', "invalid-request", "patch[0]"),
    (b'{"op":"delete","type":"User","id":"a"}', "precondition-required", "if_match"),
]  # fmt: skip


async def test_malformed_lines_are_answered_alone(crud: Crud) -> None:
    lines: list[Any] = []
    for text, _, _ in MALFORMED:
        lines += [create(f"u{len(lines)}"), text]
    results = await send(crud, *lines)
    assert {r["status"] for r in results[::2]} == {201}
    for (text, code, field), result in zip(MALFORMED, results[1::2], strict=True):
        assert (result["problem"]["code"], result["problem"].get("field")) == (code, field), (text[:100], result)
        assert 400 <= result["status"] < 500
    assert len(await crud.events()) == len(MALFORMED)


@pytest.mark.parametrize(
    ("query", "kind", "status", "field"),
    [
        ("?atomic=maybe", NDJSON, 422, "atomic"),
        ("?atom=1", NDJSON, 422, "atom"),
        ("", "application/json", 415, "Content-Type"),
        ("?atomic=true", "application/json", 415, "Content-Type"),
    ],
)
async def test_a_batch_that_is_none_is_refused(crud: Crud, query: str, kind: str, status: int, field: str) -> None:
    reply = await crud.call("POST", BATCH + query, b"{}", Content_Type=kind)
    assert (reply.status, reply.json["field"]) == (status, field)


async def test_nothing_is_no_lines(crud: Crud) -> None:
    assert await send(crud, b"", b" ", b"") == []


async def test_documents_are_held_against_the_schema_of_their_type(crud: Crud) -> None:
    schema = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
    assert (await register(crud, schema)).status == 201
    results = await send(
        crud,
        create("u1", {"age": 1}),
        create("u2", {"age": "x"}),
        merge("u1", {"age": None}, 1),
        merge("u1", {"age": 2}, 1),
        create("o1", {"any": "thing"}, kind="Order"),
    )
    assert [r["status"] for r in results] == [201, 422, 422, 200, 201]
    assert results[1]["problem"]["code"] == "schema-violated"
    assert results[1]["problem"]["violations"]
    versions = {e.originator_id: json.loads(e.metadata).get("schema_version") for e in await crud.events()}
    assert (versions["u1"], versions["o1"]) == ("1", None)
    atomic = await crud.call("POST", f"{BATCH}?atomic=true", body_of([create("u3", {"age": 3}), create("u4", {})]),
                             Content_Type=NDJSON)  # fmt: skip
    assert (*atomic.said, atomic.json["line"]) == (422, "schema-violated", 2)
    assert (await crud.get("u3")).status == 404
