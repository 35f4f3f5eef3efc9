"""Connections: slow senders, slow readers, too many, and what is no HTTP, all without harm to the others."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import aiohttp
import pytest
from aiohttp import web

from eskit.lifecycle import serving
from eskit.settings import Settings
from eskit.web import bodies
from eskit.web.answers import Answer
from eskit.web.app import create_app
from eskit.web.server import Server
from tests.services import config_for, until

LARGE = b"x" * 20_000_000


class Running(NamedTuple):
    port: int
    count: Any  # how many connections are open

    async def send(self, data: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 20)
        writer.write(data)
        return reader, writer


@asynccontextmanager
async def server(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> AsyncIterator[Running]:
    """A service with three routes, and its server."""
    made: list[Server] = []
    init = Server.__init__

    def remember(self: Server, *arguments: Any, **options: Any) -> None:
        init(self, *arguments, **options)
        made.append(self)

    monkeypatch.setattr(Server, "__init__", remember)

    async def hello(_: web.Request) -> Answer:
        return Answer(b"hello", content_type="text/plain")

    async def large(_: web.Request) -> Answer:
        return Answer(LARGE, content_type="text/plain")

    async def echo(request: web.Request) -> Answer:
        return Answer(await bodies.read(request, "text/plain"), content_type="text/plain")

    config: Settings = config_for("", **settings)
    routes = [web.get("/hello", hello), web.get("/large", large), web.post("/echo", echo), web.post("/deaf", hello)]
    app = create_app("test", config, routes=routes)
    async with serving(app, config, "eventstore_port") as url:
        yield Running(int(url.rpartition(":")[2]), lambda: made[0].count)


async def answer(reader: asyncio.StreamReader, timeout_s: float = 20) -> tuple[int, dict[str, Any]]:
    """Status and problem of the one answer before the server closes; (0, {}) when it closes without a word."""
    async with asyncio.timeout(timeout_s):
        text = await reader.read(-1)
    if not text:
        return 0, {}
    head, _, body = text.partition(b"\r\n\r\n")
    assert b"aiohttp" not in head.lower()
    assert b"Content-Type: application/problem+json" in head, head
    assert b"Connection: close" in head
    return int(head.split()[1]), json.loads(body)


GET = b"GET /hello HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize("half", [b"G", b"GET /hello HTT", GET, GET + b"X-Half: a"])
async def test_half_a_head_is_timed_out(monkeypatch: pytest.MonkeyPatch, half: bytes) -> None:
    async with server(monkeypatch, header_timeout_s=0.3) as running:
        reader, writer = await running.send(half)
        assert (await answer(reader))[1]["code"] == "request-timeout"
        writer.close()
        # The same on a connection that has had a good request before.
        reader, writer = await running.send(GET + b"\r\n")
        assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200 OK")
        writer.write(half)
        assert (await answer(reader))[0] == 408
        writer.close()
        await until(lambda: running.count() == 0)


async def test_a_head_that_drips_is_timed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(monkeypatch, header_timeout_s=0.4) as running:
        reader, writer = await running.send(b"")
        answered = asyncio.create_task(answer(reader))
        for byte in GET * 100:
            if answered.done():
                break
            writer.write(bytes([byte]))
            await asyncio.sleep(0.02)
        assert (await answered)[0] == 408
        writer.close()


async def test_who_still_sends_gets_to_read_what_was_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    more = b"X-More: " + b"m" * 1000 + b"\r\n"
    for begin, status in (
        (GET + b"X-Large: " + b"l" * 10_000, 431),
        (b"GET / HTTP/9\r\n", 400),
        (GET + more * 200, 431),
    ):
        async with server(monkeypatch) as running:
            reader, writer = await running.send(begin)
            answered = asyncio.create_task(answer(reader))
            for _ in range(20):
                writer.write(more)
                await asyncio.sleep(0.005)
            assert (await answered)[0] == status
            writer.close()
            await until(lambda: running.count() == 0)


async def test_who_was_told_what_was_wrong_and_stays_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eskit.web.connection.LINGER_S", 0.3)
    async with server(monkeypatch) as running:
        reader, writer = await running.send(b"nonsense\r\n\r\n")
        assert (await answer(reader))[0] == 400
        await until(lambda: running.count() == 0)
        writer.close()


async def test_who_never_says_a_word_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(monkeypatch, header_timeout_s=0.3) as running:
        reader, writer = await running.send(b"")
        assert await answer(reader) == (0, {})
        writer.close()


async def test_between_requests_a_connection_is_kept_for_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(monkeypatch, header_timeout_s=0.2, idle_timeout_s=1.5) as running:
        reader, writer = await running.send(GET + b"\r\n")
        await reader.readuntil(b"hello")
        await asyncio.sleep(0.6)  # three times as long as a head may take
        writer.write(GET + b"\r\n")
        await reader.readuntil(b"hello")
        assert await answer(reader) == (0, {})
        writer.close()


async def test_two_hundred_slow_ones_do_not_keep_a_quick_one_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(monkeypatch, header_timeout_s=0.5) as running, aiohttp.ClientSession() as session:
        slow = [await running.send(GET) for _ in range(200)]
        for _ in range(50):
            async with session.get(f"http://127.0.0.1:{running.port}/hello") as response:
                assert await response.text() == "hello"
        assert [(await answer(reader))[0] for reader, _ in slow] == [408] * 200
        for _, writer in slow:
            writer.close()


async def test_a_body_that_drips_is_timed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(monkeypatch, body_timeout_s=0.4) as running:
        reader, writer = await running.send(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        reading = asyncio.create_task(reader.readuntil(b"\r\n"))
        while not reading.done():
            writer.write(b"x")
            await asyncio.sleep(0.05)
        assert b" 408 " in await reading
        writer.close()


async def test_who_does_not_read_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(monkeypatch, write_timeout_s=0.5) as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port, limit=1024)
        writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        await until(lambda: running.count() == 1)
        await until(lambda: running.count() == 0)
        received = 0
        try:
            while piece := await reader.read(1 << 20):
                received += len(piece)
        except ConnectionError:
            pass
        assert received < len(LARGE)
        writer.close()


async def test_who_reads_slowly_but_does_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(monkeypatch, write_timeout_s=0.6) as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port, limit=1 << 16)
        writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        received = 0
        while piece := await reader.read(1 << 20):
            received += len(piece)
            await asyncio.sleep(0.01)
        assert received > len(LARGE)
        writer.close()


async def test_a_body_that_nobody_wants_does_not_hold_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(monkeypatch, max_body_bytes=2000) as running:
        for path, status in ((b"/deaf", b" 200 "), (b"/echo", b" 413 ")):
            reader, writer = await running.send(
                b"POST " + path + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\n\r\n" + b"x" * 100_000
            )
            assert status in await reader.readuntil(b"\r\n")
            async with asyncio.timeout(20):
                await reader.read(-1)
            writer.close()
        await until(lambda: running.count() == 0)


async def test_more_connections_than_allowed_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(monkeypatch, max_connections=3) as running:
        kept = [await running.send(GET + b"\r\n") for _ in range(3)]
        for reader, _ in kept:
            await reader.readuntil(b"hello")
        reader, writer = await running.send(GET + b"\r\n")
        status, problem = await answer(reader)
        assert (status, problem["code"]) == (503, "overloaded")
        writer.close()
        kept[0][1].write(GET + b"\r\n")
        await kept[0][0].readuntil(b"hello")
        kept[1][1].close()
        await until(lambda: running.count() == 2)
        reader, writer = await running.send(GET + b"\r\n")
        await reader.readuntil(b"hello")
        for _, other in [*kept, (reader, writer)]:
            other.close()


async def test_a_stop_closes_idle_connections_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(monkeypatch, shutdown_s=30) as running:
        reader, writer = await running.send(GET + b"\r\n")
        await reader.readuntil(b"hello")
    assert await answer(reader, 5) == (0, {})
    writer.close()
