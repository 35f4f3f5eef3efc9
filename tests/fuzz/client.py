"""Sends requests over connections that are kept as long as the service keeps them, and reads whatever comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import NamedTuple

from tests.fuzz.requests import MOST_BYTES, Request

ANSWER_S = 15.0
STAY_S = 0.15  # how long a live tail is read
HALF_S = 0.5  # a request whose length was broken waits for the rest: who sends no more ends it


class Answer(NamedTuple):
    """Status 0: the service closed, or waits for more of a request that is broken."""

    status: int
    media_type: str
    body: bytes


class Client:
    """One connection at a time."""

    def __init__(self, port: int) -> None:
        """Connects when there is something to send."""
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, request: Request) -> Answer:
        """The answer; raises TimeoutError for one that does not come to a request that is whole."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 24)
        reader, writer = self._streams
        try:
            writer.write(request.data)
            async with asyncio.timeout(ANSWER_S if request.whole else HALF_S):
                return await self._answer(reader, head_only=request.head_only)
        except TimeoutError:
            if request.whole:
                raise
            self.close()
        except (ConnectionError, asyncio.IncompleteReadError):
            self.close()
        finally:
            if not request.whole:
                self.close()  # what is left of it must not be answered in the place of the next one
        return Answer(0, "", b"")

    def close(self) -> None:
        """Give the connection up."""
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None

    async def _answer(self, reader: asyncio.StreamReader, *, head_only: bool) -> Answer:
        head = await reader.readuntil(b"\r\n\r\n")
        headers = {}
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            headers[name.strip().lower()] = value.strip()
        status = int(head.split()[1])
        kind = headers.get(b"content-type", b"").decode()
        body = b""
        if kind == "text/event-stream":
            body = b"" if head_only else await _some(reader)
            self.close()
        elif not head_only and status not in {204, 304}:
            body = await self._body(reader, headers)
        if headers.get(b"connection", b"").lower() == b"close" or head.startswith(b"HTTP/1.0"):
            self.close()
        return Answer(status, kind, body)

    async def _body(self, reader: asyncio.StreamReader, headers: dict[bytes, bytes]) -> bytes:
        if b"content-length" in headers:
            return await reader.readexactly(int(headers[b"content-length"]))
        pieces, size = [], 0
        async for piece in _chunks(reader):
            pieces.append(piece)
            size += len(piece)
            if size > MOST_BYTES:
                self.close()
                break
        return b"".join(pieces)


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
        yield await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)


async def _some(reader: asyncio.StreamReader) -> bytes:
    """What a live tail says in a short while, up to its last whole message."""
    pieces = []
    with suppress(TimeoutError):
        async with asyncio.timeout(STAY_S):
            async for piece in _chunks(reader):
                pieces.append(piece)  # noqa: PERF401 - what came before the end of the time is kept
    text = b"".join(pieces)
    return text[: text.rfind(b"\n\n") + 2]
