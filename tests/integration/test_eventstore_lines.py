"""The log as lines, and answers that need not be sent again."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import psycopg
import pytest

from eskit.settings import Settings
from eventstore_svc.app import eventstore_app
from eventstore_svc.store import open_event_store
from tests.integration.appending import load, new_event
from tests.integration.eventstore_calls import GOOD, Api
from tests.services import running, until

LINES = {"Accept": "application/x-ndjson"}


async def lines(api: Api, query: str = "") -> list[dict[str, Any]]:
    async with api.session.get(f"{api.url}/v1/log{query}", headers=LINES) as response:
        assert response.status == 200
        assert response.content_type == "application/x-ndjson"
        body = await response.text()
    assert body == "" or body.endswith("\n")
    return [json.loads(line) for line in body.splitlines()]


async def test_lines_are_the_whole_log_in_order(config: Settings) -> None:
    async with open_event_store(config, "test") as store:
        await load(store, 5000)
    async with running(eventstore_app(config), config, "eventstore_port") as url, aiohttp.ClientSession() as session:
        api = Api(url, session)
        found = await lines(api)
        assert [event["position"] for event in found] == list(range(1, 5001))
        _, page = await api.get("/v1/log?from=2100&limit=3")
        assert found[2099:2102] == page["events"]
        assert [e["position"] for e in await lines(api, "?from=4999")] == [4999, 5000]
        assert await lines(api, "?from=5001") == []
        some = await lines(api, "?selector=*.Changed&entity_type=Thing")
        assert len(some) == 5000
        assert await lines(api, "?entity_type=Other") == []


async def test_an_event_is_one_line_whatever_spaces_it_was_sent_with(api: Api) -> None:
    payload = b'{\r\n "a": "x\\ny",\n\t"b": [1,\r2]\n}'
    body = b'{"originator":{"id":"u1"},"event_type":"User.Created","payload":' + payload + b"}"
    assert (await api.append(body))[0] == 201
    async with api.session.get(f"{api.url}/v1/log", headers=LINES) as response:
        text = await response.read()
    assert text.count(b"\n") == 1
    assert b'{   "a": "x\\ny", \t"b": [1, 2] }' in text
    async with api.session.get(f"{api.url}/v1/log") as response:
        assert payload in await response.read()


@pytest.mark.parametrize(("query", "field"), [("limit=5", "limit"), ("direction=backward", "direction")])
async def test_what_is_for_pages_is_not_for_lines(api: Api, query: str, field: str) -> None:
    status, problem, _ = await api.call("GET", f"/v1/log?{query}", headers=LINES)
    assert (status, problem["field"]) == (422, field)


async def test_a_reader_that_leaves_ends_the_reading(config: Settings) -> None:
    async with open_event_store(config, "test") as store:
        for _ in range(100):
            await store.append([new_event("large", payload=b'{"x":"%s"}' % (b"x" * 500_000))])
    async with running(eventstore_app(config), config, "eventstore_port") as url, aiohttp.ClientSession() as session:
        before = len(asyncio.all_tasks())
        for _ in range(3):
            response = await session.get(f"{url}/v1/log", headers=LINES)
            await response.content.readuntil(b"\n")
            response.close()
        await until(lambda: len(asyncio.all_tasks()) <= before + 1)
        with psycopg.connect(config.database_url, autocommit=True) as owner:
            idle = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'"
            assert owner.execute(idle).fetchone() == (0,)
        assert len(await lines(Api(url, session))) == 100


async def test_lines_that_break_off_have_no_end(config: Settings) -> None:
    """A reader can tell an answer that was cut from one that is complete."""
    async with open_event_store(config, "test") as store:
        for _ in range(60):
            await store.append([new_event("large", payload=b'{"x":"%s"}' % (b"x" * 800_000))])
    async with (
        running(eventstore_app(config), config, "eventstore_port") as url,
        aiohttp.ClientSession() as session,
        session.get(f"{url}/v1/log", headers=LINES) as response,
    ):
        await response.content.readany()
        with psycopg.connect(config.database_url, autocommit=True) as owner:
            owner.execute("ALTER TABLE eventstore.events RENAME TO elsewhere")
        with pytest.raises((aiohttp.ClientPayloadError, ConnectionError)):
            await response.content.read()


async def stream_tag(api: Api, query: str, known: str = "") -> tuple[int, str]:
    headers = {"If-None-Match": known} if known else {}
    url = f"{api.url}/v1/streams/User/u1/events?{query}"
    async with api.session.get(url, headers=headers) as response:
        body = await response.read()
        assert bool(body) == (response.status == 200)
        return response.status, response.headers["ETag"]


async def test_stream_tags_change_when_the_answer_does(api: Api) -> None:
    for _ in range(5):
        assert (await api.append(GOOD))[0] == 201
    queries = ["", "limit=2", "limit=5", "from_version=6", "direction=backward", "direction=backward&limit=2",
               "to_version=3", "position=4", "from_version=4&limit=9"]  # fmt: skip
    tags = {query: (await stream_tag(api, query))[1] for query in queries}
    for query, tag in tags.items():
        assert (await stream_tag(api, query, tag))[0] == 304
        assert (await stream_tag(api, query, f'"other", W/{tag}'))[0] == 304
        assert (await stream_tag(api, query, '"other"'))[0] == 200
    bodies = {query: (await api.get(f"/v1/streams/User/u1/events?{query}"))[1] for query in queries}
    assert (await api.append(GOOD))[0] == 201
    for query, tag in tags.items():
        changed = bodies[query] != (await api.get(f"/v1/streams/User/u1/events?{query}"))[1]
        status, new = await stream_tag(api, query, tag)
        if changed:
            assert (status, new != tag) == (200, True), query
    for query in ("limit=2", "to_version=3", "position=4"):
        assert (await stream_tag(api, query, tags[query]))[0] == 304, query


async def test_a_tag_that_is_none_is_refused(api: Api) -> None:
    await api.append(GOOD)
    status, problem, _ = await api.call("GET", "/v1/streams/User/u1", headers={"If-None-Match": "3"})
    assert (status, problem["field"]) == (422, "If-None-Match")


WRONG = [
    ("/v1/log?from=1e3", "from"), ("/v1/log?from=1.0", "from"), ("/v1/log?from=null", "from"),
    ("/v1/log?from=0", "from"),
    ("/v1/log?from=9223372036854775808", "from"), ("/v1/log?limit=1001", "limit"), ("/v1/log?limit=", "limit"),
    ("/v1/log?direction=up", "direction"), ("/v1/log?event_id=1", "event_id"),
    ("/v1/log?entity_type=a b", "entity_type"),
    ("/v1/log?correlation_id=", "correlation_id"), ("/v1/log?selector=a", "selector"), ("/v1/log?form=1", "form"),
    ("/v1/log?from=1&from=2", "from"), ("/v1/streams?cursor=%21", "cursor"), ("/v1/streams?cursor=W10", "cursor"),
    ("/v1/streams?cursor=WyJVc2VyIiwgIiJd", "cursor"),
    ("/v1/streams?cursor=WyJVc2VyIiwiYSJd&entity_type=Order", "cursor"),
    ("/v1/streams/User/u1/events?at=2026-01-01", "at"), ("/v1/streams/User/u1/events?at=2026-01-01T00:00:00", "at"),
    ("/v1/streams/User/u1/events?at=1767225600", "at"),
    ("/v1/streams/User/u1/events?to_version=2147483648", "to_version"),
    ("/v1/log/head?x=1", "x"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "field"), WRONG)
async def test_wrong_parameters_are_named(api: Api, path: str, field: str) -> None:
    status, problem = await api.get(path.replace(" ", "%20"))
    assert (status, problem["field"]) == (422, field), problem
