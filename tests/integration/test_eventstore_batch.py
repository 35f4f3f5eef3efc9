"""Many independent appends in one call: each has its own result, in order."""

from __future__ import annotations

import json
from typing import Any

import pytest

from eskit.ids import uuid7
from tests.integration.eventstore_calls import ID, Api

NDJSON = {"Content-Type": "application/x-ndjson"}


def one(ident: str = "u1", **more: Any) -> dict[str, Any]:
    return {"originator": {"id": ident}, "event_type": "User.Created", "payload": {"n": 1}, **more}


async def batch(api: Api, appends: Any, **headers: str) -> tuple[int, Any]:
    status, answer, _ = await api.call("POST", "/v1/events/batch", json={"appends": appends}, headers=headers)
    return status, answer


async def batch_lines(api: Api, body: bytes) -> list[dict[str, Any]]:
    async with api.session.post(f"{api.url}/v1/events/batch", data=body, headers=NDJSON) as response:
        assert response.status == 200
        assert response.content_type == "application/x-ndjson"
        return [json.loads(line) for line in (await response.text()).splitlines()]


async def positions(api: Api) -> list[int]:
    return [e["position"] for e in (await api.get("/v1/log?limit=1000"))[1]["events"]]


async def test_each_append_has_its_result(api: Api) -> None:
    appends = [
        one("a"),
        {"events": [one("b"), one("c")]},
        one("a", expected="none"),
        one("a", event_type="nonsense"),
        {"originator": {"id": "a"}},
        [],
        one("a", expected=1),
        {"events": [one("d"), one("a", expected="none")]},
        one("d", expected="none"),
    ]
    status, answer = await batch(api, appends)
    assert status == 200
    results = answer["results"]
    assert [r["status"] for r in results] == [201, 201, 409, 422, 422, 422, 201, 409, 201]
    assert [[e["position"] for e in r.get("events", [])] for r in results] == [
        [1],
        [2, 3],
        [],
        [],
        [],
        [],
        [4],
        [],
        [5],
    ]
    assert (results[2]["problem"]["code"], results[2]["problem"]["field"]) == ("version-conflict", "expected")
    assert results[3]["problem"]["field"] == "event_type"
    assert results[7]["problem"]["field"] == "events[1].expected"
    assert await positions(api) == [1, 2, 3, 4, 5]


async def test_a_repeat_of_all_is_the_first_answer_again(api: Api) -> None:
    appends = [one(f"u{n}", event_id=f"01a20c57-9331-7971-8669-ffaba7c6{n:04x}") for n in range(50)]
    _, first = await batch(api, appends)
    _, again = await batch(api, appends)
    assert {r["status"] for r in first["results"]} == {201}
    assert {r["status"] for r in again["results"]} == {200}
    assert [r["events"] for r in again["results"]] == [r["events"] for r in first["results"]]


async def test_an_id_twice_in_a_batch(api: Api) -> None:
    _, answer = await batch(api, [one(event_id=ID), one(event_id=ID), one("u2", event_id=ID), one("u3")])
    assert [r["status"] for r in answer["results"]] == [201, 200, 409, 201]
    assert answer["results"][2]["problem"]["code"] == "event-id-reused"


async def test_headers_hold_for_every_append(api: Api) -> None:
    await batch(api, [one("a"), one("b")], **{"Eskit-User": "ann", "Eskit-Correlation-Id": "c-1"})
    events = (await api.get("/v1/log"))[1]["events"]
    assert [e["metadata"] for e in events] == [{"correlation_id": "c-1", "user": "ann"}] * 2


async def test_without_a_cause_each_append_is_a_chain_of_its_own(api: Api) -> None:
    await batch(api, [one("a"), {"events": [one("b"), one("c")]}])
    events = (await api.get("/v1/log"))[1]["events"]
    assert [e["metadata"]["correlation_id"] for e in events] == [events[n]["event_id"] for n in (0, 1, 1)]


@pytest.mark.parametrize(("body", "status", "field"), [
    (b"", 400, None), (b"{", 400, None), (b'{"appends":[]}', 422, "appends"), (b'{"appends":{}}', 422, "appends"),
    (b'{"events":[]}', 422, "events"), (b'{"appends":[' + b",".join([b"{}"] * 1001) + b"]}", 422, "appends"),
    (b'{"appends":["' + b"x" * 300_000 + b'"]}', 413, "body"),
])  # fmt: skip
async def test_a_body_that_is_no_batch(api: Api, body: bytes, status: int, field: str | None) -> None:
    headers = {"Content-Type": "application/json"}
    got, problem, _ = await api.call("POST", "/v1/events/batch", data=body, headers=headers)
    assert (got, problem.get("field")) == (status, field)


async def test_lines_have_results_by_their_numbers(api: Api) -> None:
    body = b"\n".join([
        json.dumps(one("a")).encode(), b"", b"  \r", b"{not json",
        json.dumps(one("a", expected="none")).encode() + b"\r",
        b"\xff\xfe", b'{"x":"' + b"y" * 300_000 + b'"}', json.dumps({"events": [one("b"), one("c")]}).encode(),
    ])  # fmt: skip
    results = await batch_lines(api, body)
    assert [(r["line"], r["status"]) for r in results] == [(1, 201), (4, 400), (5, 409), (6, 400), (7, 413), (8, 201)]
    assert await positions(api) == [1, 2, 3]


async def test_lines_on_one_stream_are_stored_in_their_order(api: Api) -> None:
    lines = [json.dumps(one("hot", expected=n, payload={"n": n})) for n in range(3000)]
    results = await batch_lines(api, "\n".join(lines).encode() + b"\n")
    assert [r["line"] for r in results] == list(range(1, 3001))
    assert [r["events"][0]["originator"]["version"] for r in results] == list(range(1, 3001))


async def test_no_lines_no_results(api: Api) -> None:
    assert await batch_lines(api, b"") == []
    assert await batch_lines(api, b"\n\n\n") == []


async def test_another_type_is_refused(api: Api) -> None:
    status, problem, _ = await api.call("POST", "/v1/events/batch", data=b"x", headers={"Content-Type": "text/csv"})
    assert (status, problem["field"]) == (415, "Content-Type")


async def test_two_lists_in_one_body_are_refused(api: Api) -> None:
    one_list, other = (f'"appends":[{json.dumps(one(name))}]' for name in ("a", "b"))
    body, headers = f"{{{one_list},{other}}}".encode(), {"Content-Type": "application/json"}
    status, problem, _ = await api.call("POST", "/v1/events/batch", data=body, headers=headers)
    assert (status, problem["field"]) == (422, "appends")
    assert (await api.get("/v1/log/head"))[1]["position"] == 0


async def test_ids_for_some_events_of_an_append_only_are_refused(api: Api) -> None:
    events = [one("a") | {"event_id": str(uuid7())}, one("b")]
    for order, field in ((events, "events[1].event_id"), (events[::-1], "events[1].event_id")):
        status, problem = await api.append({"events": order})
        assert (status, problem["field"]) == (422, field)


async def test_a_repeat_that_expects_something_else_is_no_repeat(api: Api) -> None:
    first = one("a") | {"event_id": str(uuid7())}
    assert (await api.append(first))[0] == 201
    assert (await api.append(first | {"expected": "none"}))[0] == 200
    assert (await api.append(first | {"expected": "exists"}))[0] == 409
    second = one("a") | {"event_id": str(uuid7())}
    assert (await api.append(second))[0] == 201
    assert (await api.append(second | {"expected": "exists"}))[0] == 200
