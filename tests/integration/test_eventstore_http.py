"""The event store's REST contract."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote
from uuid import UUID

import aiohttp
import pytest

from eventstore_svc.app import eventstore_app
from tests.integration.eventstore_calls import GOOD, ID, Api
from tests.services import config_for, running


async def test_append_and_read(api: Api) -> None:
    status, answer = await api.append(GOOD, Eskit_Correlation_Id="order-7", Eskit_User="ann")
    assert status == 201
    assert answer["events"] == [
        {"event_id": answer["events"][0]["event_id"], "originator": {"id": "u1", "version": 1}, "position": 1}
    ]
    status, page = await api.get("/v1/streams/User/u1/events")
    (event,) = page["events"]
    assert status == 200
    assert page["next"] is None
    assert event["position"] == 1
    assert event["originator"] == {"id": "u1", "version": 1}
    assert (event["entity_type"], event["event_type"], event["payload"]) == ("User", "User.Created", {"n": 1})
    assert event["metadata"] == {"correlation_id": "order-7", "user": "ann"}
    assert event["occurred_on"] == event["recorded_at"]
    assert len(event["recorded_at"]) == len("2026-11-24T06:56:35.644376Z")


async def test_several_events_are_one_append(api: Api) -> None:
    events = [GOOD | {"originator": {"id": ident}} for ident in ("a", "b", "a")]
    status, answer = await api.append({"events": events})
    assert status == 201
    places = [(e["originator"]["id"], e["originator"]["version"], e["position"]) for e in answer["events"]]
    assert places == [("a", 1, 1), ("b", 1, 2), ("a", 2, 3)]


async def test_version_conflict_tells_expected_and_actual(api: Api) -> None:
    await api.append(GOOD)
    status, problem = await api.append(GOOD | {"originator": {"id": "u1", "version": 5}})
    assert (status, problem["code"], problem["expected"], problem["actual"]) == (409, "version-conflict", 4, 1)
    assert problem["field"] == "originator.version"


CONFLICTS: list[tuple[dict[str, Any], str]] = [
    ({"originator": {"id": "u1", "version": 5}}, "originator.version"),
    ({"originator": {"id": "u1", "version": 5}, "expected": "exists"}, "originator.version"),
    ({"originator": {"id": "u1", "version": 5}, "expected": 4}, "originator.version"),
    ({"expected": 4}, "expected"),
    ({"expected": "none"}, "expected"),
    ({"originator": {"id": "new"}, "expected": "exists"}, "expected"),
]


@pytest.mark.parametrize(("said", "field"), CONFLICTS)
async def test_a_version_conflict_names_the_field_as_the_client_wrote_it(
    api: Api, said: dict[str, Any], field: str
) -> None:
    await api.append(GOOD)
    assert (await api.append(GOOD | said))[1]["field"] == field
    assert (await api.append({"events": [GOOD | said]}))[1]["field"] == f"events[0].{field}"
    several = [GOOD | {"originator": {"id": "other"}}, GOOD | said]
    assert (await api.append({"events": several}))[1]["field"] == f"events[1].{field}"
    _, answer, _ = await api.call("POST", "/v1/events/batch", json={"appends": [GOOD | said, {"events": several}]})
    assert [r["problem"]["field"] for r in answer["results"]] == [field, f"events[1].{field}"]


@pytest.mark.parametrize(
    ("expected", "on_new", "on_existing"),
    [("any", 201, 201), ("none", 201, 409), ("exists", 409, 201), (0, 201, 409), (1, 409, 201), (2, 409, 409)],
)
async def test_expected(api: Api, expected: str | int, on_new: int, on_existing: int) -> None:
    await api.append(GOOD)
    assert (await api.append(GOOD | {"expected": expected}))[0] == on_existing
    assert (await api.append(GOOD | {"originator": {"id": "new"}, "expected": expected}))[0] == on_new


async def test_same_event_id_again_is_the_first_answer(api: Api) -> None:
    event = GOOD | {"event_id": ID, "originator": {"id": "u1", "version": 1}}
    first = await api.append(event)
    await api.append(GOOD)
    again = await api.append(event, traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    assert first[0] == 201
    assert again == (200, first[1])
    respaced = (
        b'{"event_id":"%s","originator":{"id":"u1"},"event_type":"User.Created","payload":{ "n" : 1 }}' % ID.encode()
    )
    assert await api.append(respaced) == (200, first[1])


@pytest.mark.parametrize(
    "other",
    [
        {"payload": {"n": 2}},
        {"originator": {"id": "u2"}},
        {"event_type": "User.Changed"},
        {"metadata": {"more": "x"}},
        {"occurred_on": "2020-01-01T00:00:00Z"},
        {"originator": {"id": "u1", "version": 2}},
    ],
)
async def test_same_event_id_with_other_content_is_refused(api: Api, other: dict[str, Any]) -> None:
    event = GOOD | {"event_id": ID}
    await api.append(event)
    status, problem = await api.append(event | other)
    assert (status, problem["code"], problem["event_id"]) == (409, "event-id-reused", ID)
    assert problem["field"] == "event_id"
    assert (await api.append({"events": [event | other]}))[1]["field"] == "events[0].event_id"
    assert (await api.get("/v1/log/head"))[1]["position"] == 1


async def test_same_event_id_many_times_at_once_is_stored_once(api: Api) -> None:
    answers = await asyncio.gather(*(api.append(GOOD | {"event_id": ID}) for _ in range(32)))
    assert sorted(status for status, _ in answers) == [200] * 31 + [201]
    assert len({str(answer) for _, answer in answers}) == 1


async def test_atomic_append_again_whole_is_200_in_part_is_409(api: Api) -> None:
    ids = [str(UUID(int=UUID(ID).int + n)) for n in range(3)]
    events = [GOOD | {"event_id": ident} for ident in ids]
    first = await api.append({"events": events[:2]})
    assert await api.append({"events": events[:2]}) == (200, first[1])
    status, problem = await api.append({"events": events})
    assert (status, problem["code"], problem["field"]) == (409, "event-id-reused", "events[2].event_id")


async def test_log_pages_and_selector(api: Api) -> None:
    for number in range(30):
        await api.append(GOOD | {"event_type": "User.Created" if number % 3 else "Order.Deleted"})
    status, page = await api.get("/v1/log")
    assert (status, len(page["events"]), page["next"]) == (200, 20, 21)
    _, page = await api.get("/v1/log?from=21&limit=1000")
    assert ([e["position"] for e in page["events"]], page["next"]) == (list(range(21, 31)), 31)
    _, page = await api.get("/v1/log?selector=*.Deleted&limit=3")
    assert ([e["position"] for e in page["events"]], page["next"]) == ([1, 4, 7], 8)
    _, page = await api.get("/v1/log?selector=Nothing.*,User.Deleted")
    assert (page["events"], page["next"]) == ([], 31)
    assert (await api.get("/v1/log?from=99"))[1] == {"events": [], "next": 99}
    assert (await api.get("/v1/log/head"))[1] == {"position": 30, "published": 0}


async def test_a_selector_on_a_full_first_page_goes_on_behind_it(api: Api) -> None:
    """The original answered empty for ever when the first page held nothing that was wanted."""
    for number in range(25):
        await api.append(GOOD | {"event_type": "A.Made" if number < 21 else "B.Made"})
    _, page = await api.get("/v1/log?selector=B.*&limit=2")
    assert [e["position"] for e in page["events"]] == [22, 23]
    _, page = await api.get(f"/v1/log?selector=B.*&limit=2&from={page['next']}")
    assert [e["position"] for e in page["events"]] == [24, 25]


async def test_two_types_do_not_share_a_stream(api: Api) -> None:
    """The original ignored the type, so that two types with one id had one stream."""
    for kind in ("User", "Order"):
        _, answer = await api.append(GOOD | {"event_type": f"{kind}.Created"})
        assert answer["events"][0]["originator"]["version"] == 1
    assert len((await api.get("/v1/streams/Order/u1/events"))[1]["events"]) == 1


async def test_the_events_own_time_is_kept(api: Api) -> None:
    """The original lost it on read."""
    await api.append(GOOD | {"occurred_on": "1999-12-31T23:59:59.123456+01:00"})
    _, page = await api.get("/v1/log")
    assert page["events"][0]["occurred_on"] == "1999-12-31T22:59:59.123456Z"


@pytest.mark.parametrize("ident", ["a/b c", "ü€😀", "100%", "?x=1#y", "..x", "a//b", "{x}", "+&=", "'\";--"])
async def test_ids_with_any_printable_character(api: Api, ident: str) -> None:
    await api.append(GOOD | {"originator": {"id": ident}})
    status, page = await api.get(f"/v1/streams/User/{quote(ident, safe='')}/events")
    assert status == 200
    assert page["events"][0]["originator"]["id"] == ident


async def test_stream_pages(api: Api) -> None:
    for _ in range(7):
        await api.append(GOOD)
    _, page = await api.get("/v1/streams/User/u1/events?from_version=2&limit=3")
    assert ([e["originator"]["version"] for e in page["events"]], page["next"]) == ([2, 3, 4], 5)
    _, page = await api.get("/v1/streams/User/u1/events?from_version=5&to_version=6")
    assert ([e["originator"]["version"] for e in page["events"]], page["next"]) == ([5, 6], None)
    assert (await api.get("/v1/streams/User/u1/events?from_version=99"))[1] == {"events": [], "next": None}
    status, problem = await api.get("/v1/streams/User/nobody/events")
    assert (status, problem["code"]) == (404, "not-found")


async def test_postgres_away_is_503_with_retry_after() -> None:
    """P8: every route; readiness says what is wrong; no secret in any of it."""
    away = config_for("postgresql://someone:pa55word@127.0.0.1:1/nothing", pool_wait_s=0.2)
    async with running(eventstore_app(away), away, "eventstore_port") as url, aiohttp.ClientSession() as session:
        api = Api(url, session)
        for method, path, body in (
            ("POST", "/v1/events", GOOD),
            ("GET", "/v1/log", None),
            ("GET", "/v1/log/head", None),
        ):
            status, problem, headers = await api.call(method, path, json=body)
            assert (status, problem["code"], headers["Retry-After"]) == (503, "unavailable", "1")
        status, answer = await api.get("/readyz")
        assert status == 503
        assert "cannot be reached" in answer["checks"]["database"]
        assert "pa55word" not in str(answer)
        assert (await api.get("/livez"))[0] == 200


async def test_the_first_and_last_moment_come_back(api: Api) -> None:
    for moment in ("0001-01-01T00:00:00.000000Z", "9999-12-31T23:59:59.999999Z"):
        assert (await api.append(GOOD | {"occurred_on": moment}))[0] == 201
    _, page = await api.get("/v1/log")
    assert [e["occurred_on"][:4] for e in page["events"]] == ["0001", "9999"]


async def test_request_id_comes_back_and_is_the_correlation_id(api: Api) -> None:
    _, _, headers = await api.call("POST", "/v1/events", json=GOOD, headers={"X-Request-Id": "abc"})
    assert headers["X-Request-Id"] == "abc"
    _, page = await api.get("/v1/log")
    assert page["events"][0]["metadata"] == {"correlation_id": "abc"}
