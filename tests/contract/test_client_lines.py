"""Batches of entities through the client, on both kinds of services."""

from __future__ import annotations

import json
from typing import Any

import pytest

from eskit.client import Connections, Entities
from eskit.client.lines import NDJSON, send_lines
from eskit.errors import AlreadyExists, NotFound, PreconditionFailed

BATCH = "/v1/entities:batch"


def line(op: str, ident: str, **more: Any) -> bytes:
    return json.dumps({"op": op, "type": "User", "id": ident, **more}).encode()


async def test_lines_have_their_results_and_the_same_again_when_they_are_repeated(crud: Connections) -> None:
    lines = [
        line("create", "a", document={"n": 1}, idempotency_key="1"),
        line("create", "b", document={"n": 1}, idempotency_key="2"),
        line("merge_patch", "a", patch={"n": 2}, if_match=1, idempotency_key="3"),
        line("merge_patch", "b", patch={"n": 2}, if_match="*", idempotency_key="4"),
        line("merge_patch", "a", patch={"n": 3}, if_match=1, idempotency_key="5"),
        line("delete", "c", if_match="*", idempotency_key="6"),
    ]
    first = await send_lines(crud, BATCH, lines)
    assert [result.status for result in first] == [201, 201, 200, 200, 412, 404]
    assert [type(result.error()) for result in first[4:]] == [PreconditionFailed, NotFound]
    assert [result.stored for result in first] == [True] * 4 + [False] * 2
    again = await send_lines(crud, BATCH, lines)
    assert [(result.status, result.stored) for result in again] == [(result.status, False) for result in first]
    # Several that are there already are read at once.
    more = [line("merge_patch", ident, patch={"n": 9}, if_match=2) for ident in ("a", "b")]
    assert [result.status for result in await send_lines(crud, BATCH, more)] == [200, 200]
    assert (await Entities(crud, "User").get("b")).document == {"n": 9}


async def test_all_or_none(crud: Connections) -> None:
    body = b"\n".join([line("create", "a", document={}), line("create", "b", document={})])
    answer = await crud.call("POST", f"{BATCH}?atomic=true", body=body, headers=NDJSON)
    assert [json.loads(one)["position"] for one in answer.body.splitlines()] == [1, 2]
    with pytest.raises(AlreadyExists) as refused:
        await crud.call("POST", f"{BATCH}?atomic=true", body=line("create", "c", document={}) + b"\n" + body,
                        headers=NDJSON)  # fmt: skip
    assert refused.value.extra["line"] == 2
    with pytest.raises(NotFound):
        await Entities(crud, "User").get("c")
