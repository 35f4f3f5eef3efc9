"""Bytes on a connection of the event store: half-closed, broken in the middle of a body, HEAD, clients that left."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import aiohttp
import pytest

from eskit.settings import Settings
from eventstore_svc.app import eventstore_app
from eventstore_svc.store import open_event_store
from tests.integration.appending import new_event
from tests.integration.eventstore_calls import GOOD, Api
from tests.integration.test_eventstore_batch_faults import HEAD, chunk
from tests.integration.waiting import Live
from tests.services import config_for, running, until


async def connected(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))


def post(body: bytes) -> bytes:
    head = b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % len(body) + body


@pytest.mark.parametrize(
    "body", [post(json.dumps(GOOD).encode()), HEAD + chunk(json.dumps(GOOD).encode()) + b"0\r\n\r\n"]
)
async def test_who_sends_nothing_more_still_gets_the_answer(api: Api, body: bytes) -> None:
    """As `nc -N` does; for an append it is the difference between stored and nobody knows."""
    reader, writer = await connected(api.url)
    writer.write(body)
    writer.write_eof()
    answer = await asyncio.wait_for(reader.read(-1), 10)
    assert answer.startswith((b"HTTP/1.1 201", b"HTTP/1.1 200"))
    assert b'"position":1' in answer
    writer.close()


async def test_half_a_body_and_no_more_ends_at_once(api: Api) -> None:
    for begun in (post(json.dumps(GOOD).encode())[:-5], HEAD + chunk(b"{")):
        reader, writer = await connected(api.url)
        writer.write(begun)
        writer.write_eof()
        assert b" 20" not in (await asyncio.wait_for(reader.read(-1), 10)).partition(b"\r\n")[0] or begun.startswith(
            HEAD
        )
        writer.close()
    assert (await api.get("/v1/log/head"))[1]["position"] == 0


@pytest.mark.parametrize("kind", [b"application/json", b"application/x-ndjson"])
async def test_a_body_that_stops_being_http_is_told_at_once(api: Api, kind: bytes) -> None:
    """And not after the time that a silent sender has."""
    reader, writer = await connected(api.url)
    writer.write(b"POST /v1/events/batch HTTP/1.1\r\nHost: x\r\nContent-Type: " + kind + b"\r\n")
    writer.write(b"Transfer-Encoding: chunked\r\n\r\n" + chunk(b'{"originator"'))
    await writer.drain()
    await asyncio.sleep(0.1)  # so that it comes in a packet of its own
    writer.write(b"zz\r\nnot a chunk")
    answer = await asyncio.wait_for(reader.read(-1), 10)
    assert b"malformed-request" in answer
    assert b"request-timeout" not in answer
    writer.close()
    assert (await api.get("/v1/log/head"))[1]["position"] == 0


@pytest.mark.parametrize(("path", "accept"), [("/v1/log", "application/x-ndjson"), ("/v1/log/tail?from=1", "*/*")])
async def test_head_of_a_stream_has_no_body(live: Live, path: str, accept: str) -> None:
    assert (await live.append(GOOD))[0] == 201
    reader, writer = await connected(live.url)
    writer.write(f"HEAD {path} HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\n\r\n".encode())
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    assert head.startswith(b"HTTP/1.1 200 OK")
    if b"connection: close" not in head.lower():
        writer.write(b"GET /v1/log/head HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await asyncio.wait_for(reader.readuntil(b"\r\n"), 10)).startswith(b"HTTP/1.1 200 OK")
    assert live.feed.waiting == 0
    writer.close()


@pytest.mark.parametrize("path", ["/v1/log?wait=30", "/v1/log/tail"])
async def test_who_leaves_waits_no_longer(live: Live, path: str) -> None:
    for leave in ("close", "abort"):
        left = [await connected(live.url) for _ in range(20)]
        for _, writer in left:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await until(lambda: live.feed.waiting == 20)
        for _, writer in left:
            getattr(writer if leave == "close" else writer.transport, leave)()
        await until(lambda: live.feed.waiting == 0, timeout_s=5)


async def test_who_leaves_before_the_head_is_no_error(live: Live, caplog: pytest.LogCaptureFixture) -> None:
    assert (await live.append(GOOD))[0] == 201
    with caplog.at_level(logging.ERROR):
        for _ in range(10):
            _, writer = await connected(live.url)
            writer.write(b"GET /v1/log HTTP/1.1\r\nHost: x\r\nAccept: application/x-ndjson\r\n\r\n")
            writer.transport.abort()
        assert (await live.get("/v1/log/head"))[0] == 200
    assert not caplog.records
    async with live.session.get(f"{live.url}/metrics") as response:
        assert 'status="500"' not in await response.text()


async def test_who_reads_slowly_but_always_gets_all_of_it(config: Settings) -> None:
    """Much more than what can be read in the time that nothing may be read."""
    quick = config_for(config.database_url, write_timeout_s=1.0)
    async with running(eventstore_app(quick), quick, "eventstore_port") as url:
        async with open_event_store(quick, "test") as store:
            for number in range(24):
                await store.append([new_event(f"large-{number}", payload=b'{"x":"%s"}' % (b"x" * 800_000))])
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]), limit=1 << 16)
        writer.write(b"GET /v1/log HTTP/1.1\r\nHost: x\r\nAccept: application/x-ndjson\r\nConnection: close\r\n\r\n")
        received, ending = 0, b""
        while piece := await reader.read(1 << 17):
            received += len(piece)
            ending = (ending + piece)[-16:]
            await asyncio.sleep(0.02)
        assert ending.endswith(b"\r\n0\r\n\r\n")
        assert received > 24 * 800_000
        writer.close()


@pytest.mark.parametrize("query", ["correlation_id=%ff", "correlation_id=%zz", "selector=%C3%28", "from=1%"])
async def test_a_query_that_is_no_text_is_refused(api: Api, query: str) -> None:
    status, problem = await api.get(f"/v1/log?{query}")
    assert (status, problem["code"], problem["field"]) == (400, "malformed-request", "query")


async def test_pages_count_the_bytes_of_metadata_too(config: Settings) -> None:
    async with running(eventstore_app(config), config, "eventstore_port") as url, aiohttp.ClientSession() as session:
        api = Api(url, session)
        large: dict[str, Any] = {f"k{n}": "€" * 4096 for n in range(64)}
        for number in range(27):
            event = GOOD | {"originator": {"id": f"u{number % 2}"}, "metadata": large}
            assert (await api.append(json.dumps(event, ensure_ascii=False).encode()))[0] == 201
        for path in ("/v1/log?limit=1000", "/v1/streams/User/u0/events", "/v1/log?selector=User.*&limit=1000"):
            async with session.get(f"{url}{path}") as response:
                assert 7_000_000 < len(await response.read()) < 10_000_000
        async with session.get(f"{url}/v1/log", headers={"Accept": "application/x-ndjson"}) as response:
            assert len((await response.read()).splitlines()) == 27
