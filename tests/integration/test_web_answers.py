"""Answers that are complete before they are sent: what stands in their heads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime

import pytest
from aiohttp import web

from eskit.web.answers import Answer
from eskit.web.app import create_app
from tests.services import config_for, running

LARGE = b"x" * 30_000_000


async def plain(request: web.Request) -> Answer:
    status = int(request.query.get("status", "200"))
    return Answer(b"{}", status=status, content_type="application/json", headers={"ETag": '"1"'})


async def large(_: web.Request) -> Answer:
    return Answer(LARGE, content_type="text/plain")


async def split(request: web.Request) -> Answer:
    return Answer(b"{}", headers={"Location": f"/{request.query['to']}"})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    config = config_for("")
    app = create_app(
        "test", config, routes=[web.get("/plain", plain), web.get("/large", large), web.get("/split", split)]
    )
    async with running(app, config, "eventstore_port") as url:
        yield int(url.rpartition(":")[2])


async def exchange(port: int, request: str) -> tuple[list[str], bytes]:
    """Everything the server says until it closes: the lines of its head, and what follows."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request.encode())
    async with asyncio.timeout(20):
        head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
    writer.close()
    return head.decode().split("\r\n"), body


async def test_head_has_what_a_client_needs(port: int) -> None:
    lines, body = await exchange(port, "GET /plain HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert body == b"{}"
    assert lines[0] == "HTTP/1.1 200 OK"
    assert {"Content-Type: application/json", "Content-Length: 2", "Connection: close", 'ETag: "1"'} <= set(lines)
    (date,) = [line.partition(": ")[2] for line in lines if line.startswith("Date:")]
    assert parsedate_to_datetime(date).tzinfo is not None


async def test_head_request_has_the_head_and_no_body(port: int) -> None:
    lines, body = await exchange(port, "HEAD /plain HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert "Content-Length: 2" in lines
    assert body == b""


@pytest.mark.parametrize("status", [204, 304])
async def test_answers_without_a_body_have_none(port: int, status: int) -> None:
    lines, body = await exchange(port, f"GET /plain?status={status} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert body == b""
    assert not [line for line in lines if line.startswith("Content-Length")]


async def test_http_1_0_is_answered_and_closed(port: int) -> None:
    lines, body = await exchange(port, "GET /plain HTTP/1.0\r\n\r\n")
    assert body == b"{}"
    assert lines[0] == "HTTP/1.0 200 OK"


async def test_http_1_0_stays_open_where_it_asks_for_it(port: int) -> None:
    both = "GET /plain HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /plain HTTP/1.0\r\n\r\n"
    lines, rest = await exchange(port, both)
    assert "Connection: keep-alive" in lines
    assert rest.startswith(b"{}HTTP/1.0 200 OK")


async def test_requests_sent_ahead_are_answered_in_order(port: int) -> None:
    one = "GET /plain HTTP/1.1\r\nHost: x\r\n\r\n"
    last = "HEAD /plain HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    _, rest = await exchange(port, one * 20 + last)
    assert rest.count(b"HTTP/1.1 200 OK") == 20


async def test_a_body_larger_than_the_socket_takes_arrives_whole(port: int) -> None:
    _, body = await exchange(port, "GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert body == LARGE


@pytest.mark.parametrize("ending", ["%0d%0aSet-Cookie:%20a=b", "%0a", "%00"])
async def test_a_header_cannot_be_split(port: int, ending: str) -> None:
    lines, _ = await exchange(port, f"GET /split?to=a{ending} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert not [line for line in lines if line.startswith(("Set-Cookie", "Location"))]
    assert lines[0].split()[1] == "500"
