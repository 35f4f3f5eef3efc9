"""What is no HTTP/1.1, or too much of it: a problem of ours, never a 5xx, never the client's own bytes."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest

from tests.integration.test_web_connections import server

HOST = b"Host: x\r\n"
LONG = b"a" * 10_000
MARK = b"zzyzx"

REQUESTS = {
    "no method": (b"/hello HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "no version": (b"GET /" + MARK + b"\r\n" + HOST + b"\r\n", 400),
    "HTTP/0.9": (b"GET /hello\r\n\r\n", 400),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "HTTP/3.0": (b"GET /hello HTTP/3.0\r\n" + HOST + b"\r\n", 400),
    "TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100) + b"\r\n\r\n", 400),
    "noise": (bytes(range(256)) + b"\r\n\r\n", 400),
    "odd method": (b"<script>" + MARK + b" /hello HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "space in a header's name": (b"GET /hello HTTP/1.1\r\n" + HOST + b"X " + MARK + b": 1\r\n\r\n", 400),
    "NUL in a header": (b"GET /hello HTTP/1.1\r\n" + HOST + b"X: a\x00" + MARK + b"\r\n\r\n", 400),
    "folded header": (b"GET /hello HTTP/1.1\r\n" + HOST + b"X: a\r\n " + MARK + b"\r\n\r\n", 400),
    "no host": (b"GET /hello HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"GET /hello HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400),
    "two lengths": (b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nx", 400),
    "length and chunks": (
        b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "negative length": (b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n", 400),
    "length of letters": (b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: zz\r\n\r\n", 400),
    "length beyond all": (b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n", 400),
    "unknown transfer encoding": (b"POST /echo HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: " + MARK + b"\r\n\r\n", 400),
    "broken chunk": (b"POST /echo HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nx\r\n", 400),
    "odd expectation": (b"GET /hello HTTP/1.1\r\n" + HOST + b"Expect: " + MARK + b"\r\n\r\n", 400),
    "no text as expectation": (b"GET /hello HTTP/1.1\r\n" + HOST + b"Expect: \xed\xa0\x80\r\n\r\n", 400),
    "the same, no such path": (b"GET /a%0D%0Ab HTTP/1.1\r\n" + HOST + b"Expect: \xed\xa0\x80\r\n\r\n", 400),
    "the same for no path": (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"Expect: \xed\xa0\x80\r\n\r\n", 400),
    "a line end in the path": (b"GET /a%0D%0A" + MARK + b" HTTP/1.1\r\n" + HOST + b"\r\n", 404),
    "NUL in the path": (b"GET /a%00" + MARK + b" HTTP/1.1\r\n" + HOST + b"\r\n", 404),
    "CONNECT": (b"CONNECT x:443 HTTP/1.1\r\n" + HOST + b"\r\n", 404),
    "OPTIONS *": (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", 404),
    "long path": (b"GET /" + LONG + MARK + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    "long header": (b"GET /hello HTTP/1.1\r\n" + HOST + b"X: " + LONG + MARK + b"\r\n\r\n", 431),
    "long header name": (b"GET /hello HTTP/1.1\r\n" + HOST + LONG + MARK + b": 1\r\n\r\n", 431),
    "many headers": (b"GET /hello HTTP/1.1\r\n" + HOST + b"X: 1\r\n" * 500 + b"\r\n", 431),
}  # fmt: skip


@pytest.mark.parametrize(("request_", "status"), REQUESTS.values(), ids=list(REQUESTS))
async def test_nonsense_is_a_problem_of_ours(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, request_: bytes, status: int
) -> None:
    caplog.set_level(logging.INFO)
    async with server(monkeypatch) as running:
        reader, writer = await running.send(request_)
        async with asyncio.timeout(20):
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            problem = json.loads(await reader.readexactly(length))
        writer.close()
    assert int(head.split()[1]) == problem["status"] == status, problem
    assert b"application/problem+json" in head
    assert problem["code"]
    assert problem["request_id"]
    if status != 404:  # where the path is named, it is what the client asked for
        assert MARK not in json.dumps(problem).encode()
    assert b"<script>" not in json.dumps(problem).encode()
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_what_was_sent_ahead_together_with_nonsense_is_refused_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(monkeypatch) as running:
        reader, writer = await running.send(b"GET /hello HTTP/1.1\r\n" + HOST + b"\r\nnonsense\r\n\r\n")
        async with asyncio.timeout(20):
            text = await reader.read(-1)
        writer.close()
    assert text.count(b"HTTP/1.") == 2  # the answer, and its words about HTTP/1.1
    assert text.split()[1] == b"400"
