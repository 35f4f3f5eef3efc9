"""Pages of streams and of the log, in every combination of their parameters, against the plain list of all events."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import aiohttp
import psycopg
import pytest

from eskit.postgres.statements import statement
from eskit.settings import Settings
from eventstore_svc.app import eventstore_app
from tests.integration.eventstore_calls import Api
from tests.services import running

TYPES = ("User", "Order", "com.acme.Order")
ACTIONS = ("Created", "Paid")
IDS = ("a", "b/ü%", "c d")
CHAINS = (None, "chain-1", "x" * 300, "9" * 150 + "a", "9" * 150 + "b")


class Filled(NamedTuple):
    """A running store and all events that it has, as it answers them."""

    api: Api
    events: list[dict[str, Any]]


@pytest.fixture(scope="module")
def appends() -> list[dict[str, Any]]:
    """60 events over 9 streams, some of them linked."""
    chance = random.Random(7)
    found = []
    for number in range(60):
        event: dict[str, Any] = {
            "originator": {"id": chance.choice(IDS)},
            "event_type": f"{chance.choice(TYPES)}.{chance.choice(ACTIONS)}",
            "payload": {"n": number},
        }
        if chain := chance.choice(CHAINS):
            event["metadata"] = {"correlation_id": chain}
        found.append(event)
    return found


@pytest.fixture
async def filled(config: Settings, appends: list[dict[str, Any]]) -> AsyncIterator[Filled]:
    async with running(eventstore_app(config), config, "eventstore_port") as url, aiohttp.ClientSession() as session:
        api = Api(url, session)
        for event in appends:
            assert (await api.append(event))[0] == 201
        status, page = await api.get("/v1/log?limit=1000")
        assert status == 200
        assert [e["position"] for e in page["events"]] == list(range(1, 61))
        yield Filled(api, page["events"])


def path_of(kind: str, ident: str) -> str:
    return f"/v1/streams/{kind}/{quote(ident, safe='')}"


async def walk(api: Api, path: str, parameter: str) -> list[dict[str, Any]]:
    """All pages by their links, which end by themselves and agree with `next`."""
    found: list[dict[str, Any]] = []
    link: str | None = path
    while link:
        status, page, headers = await api.call("GET", link)
        assert status == 200, page
        found += page["events"]
        link = None
        if "Link" in headers:
            assert f"{parameter}={page['next']}" in headers["Link"]
            link = headers["Link"][1 : headers["Link"].index(">")]
        elif page["next"] is not None:
            # Only the log, forward, says where to ask again later: behind its end.
            assert "direction=backward" not in path
            end = (await api.get("/v1/log/head"))[1]["position"]
            asked = int(dict(parse_qsl(urlsplit(path).query)).get("from", 1))
            assert page["next"] == max(end + 1, asked)
    return found


async def test_streams_in_every_way(filled: Filled) -> None:
    chance = random.Random(1)
    for _ in range(150):
        kind, ident = chance.choice(TYPES), chance.choice(IDS)
        stream = [e for e in filled.events if (e["entity_type"], e["originator"]["id"]) == (kind, ident)]
        low, high = sorted((chance.randint(1, 9), chance.randint(1, 9)))
        query: dict[str, Any] = {"limit": chance.randint(1, 4)}
        wanted = stream
        if chance.random() < 0.5:
            query |= {"from_version": low, "to_version": high}
            wanted = [e for e in wanted if low <= e["originator"]["version"] <= high]
        seen = stream
        if chance.random() < 0.4:
            query["position"] = chance.randint(1, 70)
            seen = [e for e in seen if e["position"] <= query["position"]]
        if chance.random() < 0.4:
            query["at"] = chance.choice(filled.events)["recorded_at"]
            seen = [e for e in seen if e["recorded_at"] <= query["at"]]
        wanted = [e for e in wanted if e in seen]
        backward = chance.random() < 0.5
        if backward:
            query["direction"] = "backward"
            wanted = wanted[::-1]
        path = f"{path_of(kind, ident)}/events?{urlencode(query)}"
        if not seen:
            assert (await filled.api.get(path))[0] == 404
            continue
        assert await walk(filled.api, path, "to_version" if backward else "from_version") == wanted, path


async def test_the_log_in_every_way(filled: Filled) -> None:
    chance = random.Random(2)
    for _ in range(150):
        query: dict[str, Any] = {"limit": chance.randint(1, 30)}
        wanted = filled.events
        if chance.random() < 0.4:
            query["entity_type"] = chance.choice(TYPES)
            wanted = [e for e in wanted if e["entity_type"] == query["entity_type"]]
        if chance.random() < 0.4:
            action = chance.choice(ACTIONS)
            query["selector"] = f"*.{action}"
            wanted = [e for e in wanted if e["event_type"].endswith(f".{action}")]
        if chance.random() < 0.4:
            query["correlation_id"] = chance.choice(filled.events)["metadata"]["correlation_id"]
            wanted = [e for e in wanted if e["metadata"]["correlation_id"] == query["correlation_id"]]
        if chance.random() < 0.1:
            query["event_id"] = chance.choice(filled.events)["event_id"]
            wanted = [e for e in wanted if e["event_id"] == query["event_id"]]
        backward = chance.random() < 0.5
        if backward:
            query["direction"] = "backward"
            wanted = wanted[::-1]
        if chance.random() < 0.5:
            query["from"] = chance.randint(1, 62)
            wanted = [
                e for e in wanted if (e["position"] <= query["from"] if backward else e["position"] >= query["from"])
            ]
        assert await walk(filled.api, f"/v1/log?{urlencode(query)}", "from") == wanted, query


async def test_a_page_may_end_exactly_with_the_stream(filled: Filled) -> None:
    last = max(filled.events, key=lambda e: e["originator"]["version"])
    path = path_of(last["entity_type"], last["originator"]["id"])
    status, page = await filled.api.get(f"{path}/events?limit={last['originator']['version']}")
    assert (status, page["next"]) == (200, None)


async def test_every_event_by_its_id(filled: Filled) -> None:
    for event in filled.events:
        status, found, headers = await filled.api.call("GET", f"/v1/events/{event['event_id']}")
        assert (status, found) == (200, event)
        tag = {"If-None-Match": f'"x", {headers["ETag"]}'}
        assert (await filled.api.call("GET", f"/v1/events/{event['event_id']}", headers=tag))[0] == 304
    assert (await filled.api.get("/v1/events/01a20c57-9331-7971-8669-ffaba7c628bf"))[0] == 404
    for wrong in ("1", "01a20c57933179718669ffaba7c628bf", "%7B01a20c57-9331-7971-8669-ffaba7c628bf%7D"):
        status, problem = await filled.api.get(f"/v1/events/{wrong}")
        assert (status, problem["field"]) == (422, "event_id")


async def test_list_of_streams(filled: Filled) -> None:
    ends: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for event in filled.events:
        ends.setdefault((event["entity_type"], event["originator"]["id"]), []).append(event)
    wanted = [
        {"entity_type": kind, "id": ident, "version": len(events), "count": len(events),
         "first_position": events[0]["position"], "last_position": events[-1]["position"],
         "first_recorded_at": events[0]["recorded_at"], "last_recorded_at": events[-1]["recorded_at"]}
        for (kind, ident), events in sorted(ends.items())
    ]  # fmt: skip
    for kind in (None, *TYPES, "Nothing"):
        for limit in (1, 2, 100):
            found: list[dict[str, Any]] = []
            link: str | None = f"/v1/streams?limit={limit}" + (f"&entity_type={kind}" if kind else "")
            while link:
                status, page, headers = await filled.api.call("GET", link)
                assert status == 200
                found += page["streams"]
                link = headers["Link"][1 : headers["Link"].index(">")] if page["next"] else None
            assert found == [stream for stream in wanted if kind in {None, stream["entity_type"]}]
    for info in wanted:
        status, answer, headers = await filled.api.call("GET", path_of(info["entity_type"], info["id"]))
        assert (status, answer, headers["ETag"]) == (200, info, f'"{info["version"]}"')


async def test_the_list_of_streams_does_not_walk_the_table(config: Settings) -> None:
    with psycopg.connect(config.database_url, options="-c search_path=eventstore", autocommit=True) as owner:
        owner.execute(
            "INSERT INTO events (position, recorded_at, occurred_on, event_id, version, entity_type, action,"
            " originator_id, metadata, payload) SELECT n, now(), now(), gen_random_uuid(), (n - 1) / 50 + 1, 'T', 'A',"
            " 's' || n % 50, '{}', '{}' FROM generate_series(1, 20000) AS n"
        )
        owner.execute("ANALYZE events")
        values = {"after_type": "", "after_id": "", "only_type": "T", "limit": 10}
        text = "EXPLAIN (ANALYZE, FORMAT JSON) " + statement("eventstore_svc", "streams")
        row = owner.execute(text, values).fetchone()
    assert row is not None
    read = list(_rows_read(row[0][0]["Plan"]))
    assert max(read) <= 12, read


def _rows_read(plan: dict[str, Any]) -> Any:
    yield plan["Actual Rows"] * plan["Actual Loops"] if "Scan" in plan["Node Type"] else 0
    for child in plan.get("Plans", []):
        yield from _rows_read(child)
