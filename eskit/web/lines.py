"""A body as lines, without waiting for its end, and without ever holding more of it than a piece."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple

from aiohttp import web

from eskit.errors import MalformedRequest, RequestTimeout

PIECE_LINES = 500


class Line(NamedTuple):
    """One line that is not blank; `content` is None for one that is too long."""

    number: int  # from 1, blank lines counted
    content: bytes | None


class Splitter:
    """Cuts what arrives into lines. Of a line that is too long nothing is kept."""

    def __init__(self, limit_bytes: int) -> None:
        """`limit_bytes`: of one line."""
        self._limit = limit_bytes
        self._rest: list[bytes] = []  # the beginning of a line whose end has not come
        self._rest_bytes = 0
        self._number = 0

    def feed(self, data: bytes) -> list[Line]:
        """The lines that end in this piece."""
        if b"\n" not in data:
            self._keep(data)
            return []
        first, *whole, rest = data.split(b"\n")
        self._keep(first)
        lines = [self._line(b"".join(self._rest))]
        lines += [self._line(line) for line in whole]
        self._rest, self._rest_bytes = [], 0
        self._keep(rest)
        return [line for line in lines if line is not None]

    def end(self) -> list[Line]:
        """The last line, where none ended it."""
        last = self._line(b"".join(self._rest)) if self._rest_bytes else None
        self._rest, self._rest_bytes = [], 0
        return [] if last is None else [last]

    def _keep(self, data: bytes) -> None:
        self._rest_bytes += len(data)
        if self._rest_bytes > self._limit:
            self._rest = []
        elif data:
            self._rest.append(data)

    def _line(self, content: bytes) -> Line | None:
        self._number += 1
        too_long = len(content) > self._limit or (self._rest_bytes > self._limit and not self._rest)
        self._rest_bytes = 0
        if too_long:
            return Line(self._number, None)
        content = content.strip(b" \t\r")
        return Line(self._number, content) if content else None


async def lines(request: web.Request, limit_bytes: int, silence_s: float) -> AsyncIterator[list[Line]]:
    """The lines of a body as they arrive, some at a time; raises RequestTimeout, MalformedRequest.

    `silence_s`: how long nothing may arrive.
    """
    splitter = Splitter(limit_bytes)
    try:
        while True:
            async with asyncio.timeout(silence_s):
                data = await request.content.readany()
            found = splitter.feed(data) if data else splitter.end()
            for start in range(0, len(found), PIECE_LINES):
                yield found[start : start + PIECE_LINES]
            if not data:
                return
    except TimeoutError:
        raise RequestTimeout(f"Nothing arrived for {silence_s:g} s") from None
    except (web.PayloadAccessError, ConnectionError):
        raise MalformedRequest("The body ended before its announced length") from None
