"""ETag, If-Match, If-None-Match: each refusal told apart from the others."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from eskit.settings import Settings
from tests.integration.crud_calls import JSON_PATCH, MERGE, Crud, crud_service, path

WRITES = [("PUT", "{}", "application/json"), ("PATCH", "{}", MERGE), ("PATCH", "[]", JSON_PATCH), ("DELETE", None, "")]


@pytest.fixture
async def crud(config: Settings) -> AsyncIterator[Crud]:
    async with crud_service(config) as service:
        yield service


def headers(kind: str, **more: str) -> dict[str, str]:
    return more | ({"Content_Type": kind} if kind else {})


@pytest.mark.parametrize(("method", "body", "kind"), WRITES)
async def test_a_write_says_what_it_is_based_on(crud: Crud, method: str, body: str | None, kind: str) -> None:
    async def call(ident: str, match: str) -> tuple[int, str | None]:
        return (await crud.call(method, path(ident), body, **headers(kind, If_Match=match))).said

    await crud.create("live", {})
    await crud.create("dead", {})
    await crud.delete("dead")
    without = await crud.call(method, path("live"), body, **headers(kind))
    assert (without.said, without.json["field"]) == ((428, "precondition-required"), "If-Match")
    # What is not there says so, whatever If-Match holds.
    for match in ("*", '"1"', '"2"'):
        assert await call("absent", match) == (404, "not-found")
        assert await call("dead", match) == (410, "deleted")
    for match in ('"2"', '"01"', '"abc"', '""', '"2", "3"'):
        assert await call("live", match) == (412, "precondition-failed")
    for match in ("1", 'W/"1"', "", '"1', '"1" "2"', '"1",', '*, "1"', '"1", W/"1"'):
        assert await call("live", match) == (422, "invalid-request")
    assert len(await crud.events()) == 3
    reply = await crud.call(method, path("live"), body, **headers(kind, If_Match=' "7" ,"1"'))
    assert reply.status in {200, 204}


async def test_create_only_where_there_is_nothing(crud: Crud) -> None:
    assert (await crud.create("u", {})).status == 201
    again = await crud.create("u", {})
    assert (again.said, again.json["version"]) == ((412, "precondition-failed"), 1)
    other = await crud.call("PUT", path("v"), "{}", If_None_Match='"1"')
    assert (other.said, other.json["field"]) == ((422, "invalid-request"), "If-None-Match")
    both = await crud.call("PUT", path("v"), "{}", If_None_Match="*", If_Match="*")
    assert both.said == (422, "invalid-request")
    neither = await crud.call("PUT", path("v"), "{}")
    assert (neither.said, "If-None-Match" in neither.json["detail"]) == ((428, "precondition-required"), True)
    for header in ("If_Match", "If_None_Match"):
        assert (await crud.call("POST", "/v1/entities/User", "{}", **{header: "*"})).said == (422, "invalid-request")
    assert (await crud.call("DELETE", path("u"), If_None_Match="*")).said == (422, "invalid-request")
    assert len(await crud.events()) == 1


async def test_an_entity_of_foreign_events_only_can_be_created(crud: Crud) -> None:
    await crud.foreign("u")
    await crud.foreign("u")
    assert (await crud.get("u")).said == (404, "not-found")
    assert (await crud.put("u", {})).said == (404, "not-found")
    created = await crud.create("u", {"a": 1})
    assert (created.status, created.json["version"]) == (201, 3)
    assert (await crud.get("u", "?version=2")).said == (404, "not-found")


async def test_conditional_reads(crud: Crud) -> None:
    await crud.create("u", {"a": 1})
    await crud.merge("u", {"a": 2})
    for known in ('"2"', 'W/"2"', "*", '"1", "2"'):
        reply = await crud.get("u", If_None_Match=known)
        assert (reply.status, reply.body, reply.headers["ETag"]) == (304, b"", '"2"')
    assert (await crud.get("u", If_None_Match='"1"')).json == {"a": 2}
    assert (await crud.get("u", "?version=1", If_None_Match='"1"')).status == 304
    assert (await crud.get("u", If_None_Match="2")).said == (422, "invalid-request")
    assert (await crud.get("u", If_Match='"2"')).status == 200
    assert (await crud.get("u", If_Match='"1"')).said == (412, "precondition-failed")
    assert (await crud.get("nobody", If_None_Match="*")).said == (404, "not-found")
    await crud.delete("u")
    assert (await crud.get("u", If_None_Match="*")).said == (410, "deleted")


async def test_head_is_get_without_its_body(crud: Crud) -> None:
    await crud.create("u", {"a": 1})
    head, get = await crud.call("HEAD", path("u")), await crud.get("u")
    assert (head.status, head.body) == (200, b"")
    for name in ("ETag", "Last-Modified", "Content-Length", "Content-Type", "Eskit-Position"):
        assert head.headers[name] == get.headers[name]
    assert (await crud.call("HEAD", path("nobody"))).status == 404
    assert (await crud.call("HEAD", path("u"), If_None_Match='"1"')).status == 304
