"""P7: bad input gets a 4xx problem that names the field, and nothing is stored."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.eventstore_calls import GOOD, ID, Api

BAD_EVENTS: list[tuple[Any, int, str]] = [
    ([], 422, ""),
    (b"", 400, ""),
    (b"{", 400, ""),
    (b'{"event_type":"\xff"}', 400, ""),
    ({}, 422, "originator"),
    ({"events": []}, 422, "events"),
    ({"events": {}}, 422, "events"),
    ({"events": [GOOD] * 11}, 422, "events"),
    ({"events": [GOOD, 7]}, 422, "events[1]"),
    ({"events": [GOOD, GOOD | {"event_type": "x"}]}, 422, "events[1].event_type"),
    ({"events": [GOOD | {"event_id": ID}, GOOD | {"event_id": ID}]}, 422, "events[1].event_id"),
    (GOOD | {"originator": {}}, 422, "originator.id"),
    (GOOD | {"originator": {"id": ""}}, 422, "originator.id"),
    (GOOD | {"originator": {"id": "x" * 201}}, 422, "originator.id"),
    (GOOD | {"originator": {"id": "ü" * 101}}, 422, "originator.id"),
    (GOOD | {"originator": {"id": "a\u0000b"}}, 422, "originator.id"),
    (GOOD | {"originator": {"id": "a\nb"}}, 422, "originator.id"),
    (GOOD | {"originator": {"id": ".."}}, 422, "originator.id"),
    (GOOD | {"originator": {"id": 7}}, 422, "originator.id"),
    (GOOD | {"originator": {"id": "a", "more": 1}}, 422, "originator.more"),
    (GOOD | {"originator": {"id": "a", "version": 0}}, 422, "originator.version"),
    (GOOD | {"originator": {"id": "a", "version": -1}}, 422, "originator.version"),
    (GOOD | {"originator": {"id": "a", "version": 2**31}}, 422, "originator.version"),
    (GOOD | {"originator": {"id": "a", "version": 1.5}}, 422, "originator.version"),
    (GOOD | {"event_type": ""}, 422, "event_type"),
    (GOOD | {"event_type": "User"}, 422, "event_type"),
    (GOOD | {"event_type": ".Created"}, 422, "event_type"),
    (GOOD | {"event_type": "User."}, 422, "event_type"),
    (GOOD | {"event_type": "Us er.Created"}, 422, "event_type"),
    (GOOD | {"event_type": "U" * 200 + ".C"}, 422, "event_type"),
    (GOOD | {"payload": [1]}, 422, "payload"),
    (GOOD | {"payload": None}, 422, "payload"),
    (GOOD | {"payload": "text"}, 422, "payload"),
    (GOOD | {"payload": {"x": "y" * 60_000}}, 413, "payload"),
    (GOOD | {"metadata": []}, 422, "metadata"),
    (GOOD | {"metadata": {"a": 1}}, 422, "metadata[...]"),
    (GOOD | {"metadata": {"a": "x" * 5000}}, 422, "metadata.a"),
    (GOOD | {"metadata": {str(n): "" for n in range(65)}}, 422, "metadata"),
    (GOOD | {"event_id": "nonsense"}, 422, "event_id"),
    (GOOD | {"occurred_on": "yesterday"}, 422, "occurred_on"),
    (GOOD | {"occurred_on": "2026-01-01T00:00:00"}, 422, "occurred_on"),
    (GOOD | {"occurred_on": "0001-01-01T00:00:00+23:00"}, 422, "occurred_on"),
    (GOOD | {"occurred_on": "9999-12-31T23:59:59-23:00"}, 422, "occurred_on"),
    (GOOD | {"expected": "some"}, 422, "expected"),
    (GOOD | {"expected": -1}, 422, "expected"),
    (GOOD | {"expected": 3, "originator": {"id": "a", "version": 1}}, 422, "expected"),
    (GOOD | {"unknown": 1}, 422, "unknown"),
    (b'{"originator":{"id":"a"},"event_type":"U.C","payload":{"a":NaN}}', 400, ""),
    (b'{"originator":{"id":"a"},"event_type":"U.C","payload":{"a":1e400}}', 422, "payload[...]"),
    (b'{"originator":{"id":"a"},"event_type":"U.C","payload":{"a":"\\ud800"}}', 400, ""),
    (b'{"originator":{"id":"a"},"event_type":"U.C","payload":{"a":"\xff"}}', 400, "payload"),
    (b'{"originator":{"id":"a"},"event_type":"U.C","payload":' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}", 422, ""),
    (b"[" * 100_000, 422, ""),
    (b'{"x":"' + b"y" * 250_000 + b'"}', 413, "body"),
]


@pytest.mark.parametrize(("body", "status", "field"), BAD_EVENTS, ids=[str(body)[:60] for body, _, _ in BAD_EVENTS])
async def test_bad_append_names_the_field_and_stores_nothing(api: Api, body: Any, status: int, field: str) -> None:
    got, problem = await api.append(body)
    assert (got, problem["status"], problem.get("field", "")) == (status, status, field)
    assert problem["type"] == f"https://eskit.dev/problems/{problem['code']}"
    assert problem["detail"]
    assert (await api.get("/v1/log/head"))[1]["position"] == 0


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/log?from=0", "from"),
        ("/v1/log?from=-1", "from"),
        ("/v1/log?from=1.5", "from"),
        ("/v1/log?from=9999999999999999999", "from"),
        ("/v1/log?limit=0", "limit"),
        ("/v1/log?limit=1001", "limit"),
        ("/v1/log?limit=10&limit=20", "limit"),
        ("/v1/log?form=3", "form"),
        ("/v1/log?selector=User", "selector"),
        ("/v1/log?selector=", "selector"),
        ("/v1/log?selector=User.*.*", "selector"),
        ("/v1/log?selector=" + "A.*," * 101 + "B.*", "selector"),
        ("/v1/log/head?x=1", "x"),
        ("/v1/streams/User/a/events?from_version=x", "from_version"),
        ("/v1/streams/Us%20er/a/events", "entity_type"),
        ("/v1/streams/User/a%00b/events", "originator.id"),
        ("/v1/streams/User/" + "x" * 201 + "/events", "originator.id"),
    ],
)
async def test_bad_read_names_the_parameter(api: Api, path: str, field: str) -> None:
    status, problem = await api.get(path)
    assert (status, problem["field"]) == (422, field)


async def test_what_is_not_json_is_refused(api: Api) -> None:
    """415 for another content type and for any content encoding, 404 and 405 as problems too."""
    for headers in ({"Content-Type": "text/plain"}, {"Content-Encoding": "gzip", "Content-Type": "application/json"}):
        status, problem, _ = await api.call("POST", "/v1/events", data=b"{}", headers=headers)
        assert (status, problem["code"]) == (415, "unsupported-media-type")
        assert problem["field"] in headers
    assert (await api.get("/v1/nothing"))[1]["code"] == "not-found"
    status, problem, headers = await api.call("DELETE", "/v1/events")
    assert (status, problem["code"], problem["allowed"]) == (405, "method-not-allowed", "POST")
    status, problem = await api.append(GOOD, Eskit_User="é")
    assert (status, problem["field"]) == (422, "Eskit-User")
