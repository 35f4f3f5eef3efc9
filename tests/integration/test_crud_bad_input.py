"""Whatever comes in: a 4xx that names the field, nothing stored, the service goes on."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from eskit.settings import Settings
from tests.integration.crud_calls import JSON_PATCH, MERGE, Crud, crud_service, path
from tests.services import config_for


@pytest.fixture
async def crud(config: Settings) -> AsyncIterator[Crud]:
    async with crud_service(config) as service:
        yield service


BODIES: list[tuple[str | bytes, int, str | None]] = [
    ("", 400, None),
    ("{", 400, None),
    (b"\xff", 400, None),
    (b"\xef\xbb\xbf{}", 400, None),
    ("[]", 422, ""),
    ("null", 422, ""),
    ('{"a":1,"a":2}', 422, ""),
    ('{"a":{"b":[NaN]}}', 422, "/a/b/0"),
    ('{"a":1e999}', 422, "/a"),
    ('{"a":"\\ud800"}', 422, "/a"),
    ('{"a":' * 101 + "1" + "}" * 101, 422, "/a" * 100),
    ("[" * 100_000, 422, ""),
    ('{"a":"%s"}' % ("x" * 900_000), 413, "body"),
]


async def test_bodies(crud: Crud) -> None:
    await crud.create("u", {"a": 1})
    for body, status, field in BODIES:
        for reply in (
            await crud.call("POST", "/v1/entities/User", body),
            await crud.create("v", body),
            await crud.put("u", body),
            await crud.merge("u", body),
        ):
            assert (reply.status, reply.json.get("field")) == (status, field), (body[:100], reply.body)
            assert reply.headers["Content-Type"].startswith("application/problem+json")
    assert len(await crud.events()) == 1
    assert (await crud.get("u")).json == {"a": 1}


def many(first: str, operation: str, times: int) -> str:
    """A JSON Patch of one operation and then the same one again and again."""
    return f"[{','.join([first] + [operation] * times)}]"


TEST = '{"op":"test","path":"/a","value":1}'
LARGE = '{"op":"add","path":"/b","value":["' + "x" * 1000 + '"]}'


PATCHES = [
    ("{}", 422, "invalid-request", "patch"),
    ('[{"op":"add"}]', 422, "invalid-request", "patch[0]"),
    ('[{"op":"test","path":"/a","value":1},{"op":"test","path":"/a","value":2}]', 422, "patch-failed", "patch[1]"),
    ('[{"op":"remove","path":"/nope"}]', 422, "patch-failed", "patch[0]"),
    ('[{"op":"replace","path":"","value":[]}]', 422, "patch-failed", "patch"),
    ('[{"op":"add","path":"/b","value":{"c":1,"c":2}}]', 422, "invalid-request", "/0/value"),
    (many(TEST, TEST, 1000), 422, "invalid-request", "patch"),
    (
        many('{"op":"copy","from":"","path":"/x"}', '{"op":"copy","from":"/x","path":"/x/x"}', 200),
        422,
        "patch-failed",
        "patch[99]",
    ),
    (many(LARGE, '{"op":"copy","from":"/b","path":"/b/-"}', 30), 413, "too-large", "patch[12]"),
]


async def test_json_patches(crud: Crud) -> None:
    await crud.create("u", {"a": 1})
    for patch, status, code, field in PATCHES:
        reply = await crud.patch("u", patch)
        assert (reply.said, reply.json["field"]) == ((status, code), field), patch[:200]
    assert (await crud.get("u")).headers["ETag"] == '"1"'


async def test_documents_do_not_grow_past_the_limit_by_small_patches(database_url: str) -> None:
    async with crud_service(config_for(database_url, max_event_bytes=4096)) as crud:
        await crud.create("u", {})
        replies = [await crud.merge("u", {f"f{n}": "x" * 500}) for n in range(5)]
        assert [r.status for r in replies] == [200, 200, 200, 200, 413]
        more = await crud.patch("u", [{"op": "copy", "from": "/f0", "path": f"/c{n}"} for n in range(3)])
        assert (more.said, more.json["limit"]) == ((413, "too-large"), 2048)
        assert (await crud.put("u", {"f": "x" * 2040})).json["limit"] == 2048
        metadata = json.dumps({"a": "x" * 2100})
        assert (await crud.put("u", {"f": "x" * 2030}, Eskit_Metadata=metadata)).said == (413, "too-large")
        shrunk = await crud.put("u", {})
        assert shrunk.status == 200


async def test_what_may_be_created_may_also_replace_another_whatever_the_headers_say(database_url: str) -> None:
    async with crud_service(config_for(database_url, max_event_bytes=100_000)) as crud:
        limit = 100_000 - 16 * 1024
        # A backslash in a header takes two bytes in the metadata.
        headers = {"Eskit_User": "\\" * 256, "Eskit_Correlation_Id": "\\" * 256, "Eskit_Causation_Id": "\\" * 256}
        metadata = json.dumps({"a": "x" * 4000, "b": "x" * 4000})
        ident = "\N{SNAKE}" * 50
        for write, body in [
            (crud.create, b'{"a":"%s"}'),
            (crud.put, b'{"b":"%s"}'),
            (crud.put, b'{"c":null,"b":"%s"}'),
        ]:
            full = body % (b"x" * (limit - len(body % b"")))
            over = await write(ident, full + b" ")
            assert (over.said, over.json["limit"]) == ((413, "too-large"), limit)
            assert (await write(ident, full, Eskit_Metadata=metadata, **headers)).status in {200, 201}
        more = await crud.merge(ident, {"d": "x" * 1000})
        assert (more.said, more.json["limit"]) == ((413, "too-large"), limit)


PATHS: list[tuple[str, str, dict[str, str], int, str | None]] = [
    ("GET", "/v1/entities/no-type/x", {}, 422, "entity_type"),
    ("GET", "/v1/entities/User/%00", {}, 422, "id"),
    ("GET", "/v1/entities/User/%0A", {}, 422, "id"),
    ("GET", f"/v1/entities/User/{'x' * 201}", {}, 422, "id"),
    ("GET", "/v1/entities/User/%2E%2E", {}, 422, "id"),
    (
        "PUT",
        f"/v1/entities/{'T' * 192}/x",
        {"If_None_Match": "*"},
        422,
        "entity_type",
    ),  # with `.Restored` it is too long
    ("POST", f"/v1/entities/{'T' * 192}", {}, 422, "entity_type"),
    ("PUT", f"/v1/entities/User/{'x' * 201}", {"If_None_Match": "*"}, 422, "id"),
    ("PUT", "/v1/entities/User/M%FCller", {"If_None_Match": "*"}, 400, "path"),  # Latin-1
    ("PUT", "/v1/entities/User/%ed%a0%80", {"If_None_Match": "*"}, 400, "path"),  # half a surrogate pair
    ("GET", "/v1/entities/User/%ff/history", {}, 400, "path"),
    ("GET", "/v1/entities/User/%zz", {}, 400, "path"),
    ("DELETE", "/v1/entities/User/%C3", {"If_Match": "*"}, 400, "path"),
    ("GET", "/v1/entities/User/x?version=0", {}, 422, "version"),
    ("GET", "/v1/entities/User/x?version=99999999999999999999", {}, 422, "version"),
    ("GET", "/v1/entities/User/x?version=1&version=2", {}, 422, "version"),
    ("GET", "/v1/entities/User/x?verison=1", {}, 422, "verison"),
    ("GET", "/v1/entities/User/x/history?limit=1001", {}, 422, "limit"),
    ("GET", "/v1/entities/User/x/history?from_version=x", {}, 422, "from_version"),
    ("PATCH", "/v1/entities/User/x", {"If_Match": "*", "Content_Type": "application/json"}, 415, "Content-Type"),
    ("PATCH", "/v1/entities/User/x", {"If_Match": "*", "Content_Type": ""}, 415, "Content-Type"),
    ("PUT", "/v1/entities/User/x?force=1", {"If_None_Match": "*"}, 422, "force"),
    ("POST", "/v1/entities/User/x/history", {}, 405, None),
    ("PUT", "/v1/entities/User", {}, 405, None),
    ("GET", "/v1/entities/User/x/y", {}, 404, None),
]


async def test_paths(crud: Crud) -> None:
    for method, where, headers, status, field in PATHS:
        reply = await crud.call(method, where, None if method == "GET" else "{}", **headers)
        assert (reply.status, reply.json.get("field")) == (status, field), (method, where, reply.body)
    assert await crud.events() == []


HEADERS = [
    ("Idempotency-Key", "", 422),
    ("Idempotency-Key", "x" * 257, 422),
    ("Idempotency-Key", "ä", 422),
    ("Eskit-User", "x" * 257, 422),
    ("Eskit-Correlation-Id", "ä", 422),
    ("Eskit-Causation-Id", "", 422),
    ("Eskit-Metadata", "[]", 422),
    ("Eskit-Metadata", '{"a":1}', 422),
    ("Eskit-Metadata", '{"a":"ä"}', 422),
    ("Eskit-Metadata", '{"user":"eve"}', 422),
    ("Eskit-Metadata", '{"traceparent":"not one"}', 422),
    ("Eskit-Metadata", '{"a":"1","a":"2"}', 422),
    ("Eskit-Metadata", '{"a":{"b":"c"}}', 422),
    ("Eskit-Metadata", "{", 422),
    ("Eskit-Metadata", json.dumps({str(n): "" for n in range(65)}), 422),
    ("Eskit-Metadata", json.dumps({"k" * 101: ""}), 422),
    ("Eskit-Metadata", json.dumps({"k": "v" * 4097}), 422),
    ("Eskit-Metadata", '{"a":"\\ud800"}', 422),
    ("Eskit-Metadata", "[" * 5000, 422),
    ("Eskit-Occurred-On", "yesterday", 422),
    ("Eskit-Occurred-On", "2026-01-01T00:00:00", 422),
    ("Eskit-Occurred-On", "0001-01-01T00:00:00+23:00", 422),
    ("Eskit-Occurred-On", "9999-12-31T23:59:59-23:00", 422),
    ("Content-Type", "text/plain", 415),
    ("Content-Encoding", "gzip", 415),
]


async def test_headers_of_a_write(crud: Crud) -> None:
    for header, value, status in HEADERS:
        reply = await crud.create("u", {}, **{header: value})
        assert (reply.status, reply.json["field"]) == (status, header), (value[:100], reply.body)
    assert await crud.events() == []


async def test_a_header_given_twice_is_refused(crud: Crud) -> None:
    headers = CIMultiDict([("If-None-Match", "*"), ("Eskit-User", "ann"), ("Eskit-User", "eve")])
    async with aiohttp.ClientSession() as session, session.put(crud.url + path("u"), json={}, headers=headers) as reply:
        assert (reply.status, (await reply.json())["field"]) == (422, "Eskit-User")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
async def test_no_request_breaks_the_service(crud: Crud, data: st.DataObject) -> None:
    header = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12)
    raw = st.text("%/?#&=.{}aä \\", max_size=8).map(lambda text: path(text, "User"))
    method = data.draw(st.sampled_from(["GET", "PUT", "PATCH", "DELETE", "POST", "HEAD"]))
    where = data.draw(st.sampled_from([path("u"), "/v1/entities/User", path("u") + "/history"]) | raw)
    listed = where.rstrip("/") == "/v1/entities/User"
    reply = await crud.call(
        method,
        where,
        data.draw(st.none() | st.binary(max_size=20) | st.sampled_from(["{}", "[]", '{"a":null}', '[{"op":"copy"}]'])),
        **data.draw(
            st.fixed_dictionaries(
                {"Content_Type": st.sampled_from(["application/json", MERGE, JSON_PATCH, ""])},
                optional={
                    "If_Match": st.sampled_from(["*", '"1"', 'W/"1"']) | header,
                    "If_None_Match": st.sampled_from(["*", '"1"']) | header,
                    "Idempotency_Key": header,
                    "Eskit_Metadata": header | st.sampled_from(['{"a":"b"}', '{"a":{}}']),
                    "Eskit_Occurred_On": header,
                    "Prefer": header,
                },
            )
        ),
    )
    # A list is read from the view, which nobody keeps here.
    assert reply.status < 500 or (reply.status == 503 and listed and method in {"GET", "HEAD"}), reply.body
