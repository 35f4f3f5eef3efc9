"""Lines of batches of entities, and sending them."""

from __future__ import annotations

import json
from typing import Any

from tests.integration.crud_calls import Crud

BATCH = "/v1/entities:batch"
NDJSON = "application/x-ndjson"


def line(op: str, ident: str | None = None, kind: str = "User", **more: Any) -> dict[str, Any]:
    given = {"op": op, "type": kind, **more}
    return given if ident is None else {**given, "id": ident}


def create(ident: str, document: Any = None, **more: Any) -> dict[str, Any]:
    return line("create", ident, document={"n": 1} if document is None else document, **more)


def merge(ident: str, patch: Any, match: Any = "*", **more: Any) -> dict[str, Any]:
    return line("merge_patch", ident, patch=patch, if_match=match, **more)


def body_of(lines: list[Any]) -> bytes:
    return b"\n".join(one if isinstance(one, bytes) else json.dumps(one).encode() for one in lines)


async def send(crud: Crud, *lines: Any, query: str = "", **headers: str) -> list[dict[str, Any]]:
    reply = await crud.call("POST", BATCH + query, body_of(list(lines)), Content_Type=NDJSON, **headers)
    assert reply.status == 200, reply.body
    assert reply.headers["Content-Type"] == NDJSON
    found = [json.loads(text) for text in reply.body.splitlines()]
    assert [one["line"] for one in found] == list(range(1, len(found) + 1))
    return found


def said(results: list[dict[str, Any]]) -> list[Any]:
    """Status and code, or status and version."""
    return [(r["status"], r["problem"]["code"] if "problem" in r else r["version"]) for r in results]
