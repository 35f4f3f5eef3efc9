"""Answers that are written piece by piece, for as long as the client takes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

from aiohttp import web

from eskit import logs
from eskit.errors import EskitError
from eskit.web.bodies import SETTINGS
from eskit.web.connection import Connection, connection_of
from eskit.web.context import WAITS, request_id

log = logs.get(__name__)

LAST_WORD_S = 0.01


class Stalled(Exception):
    """The client has not read what it was sent."""


class Writer:
    """Writes a body in pieces; a client that does not read is waited for, but not for ever."""

    def __init__(self, response: web.StreamResponse, connection: Connection, timeout_s: float) -> None:
        """`timeout_s`: how long the client may read nothing of what is ready for it."""
        self.response = response
        self._connection = connection
        self._timeout_s = timeout_s

    async def write(self, data: bytes, last_word: bytes = b"") -> None:
        """Return when there is room for more; raises Stalled, after the last word, or ConnectionError."""
        with suppress(TimeoutError):
            if self._connection.unread_s <= self._timeout_s:
                async with self._connection.while_read():
                    await self.response.write(data)
                return
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORD_S):
                await self.response.write(last_word)
        raise Stalled


async def head_of(request: web.Request, content_type: str) -> web.StreamResponse:
    """The answer to HEAD, where GET answers with a stream: no body, hence nothing to make one for."""
    response = web.StreamResponse(headers={"Content-Type": content_type, "Server": "eskit"})
    await response.prepare(request)
    await response.write_eof()
    return response


@asynccontextmanager
async def streamed(
    request: web.Request, content_type: str, headers: Mapping[str, str] | None = None
) -> AsyncIterator[Writer]:
    """A 200 whose body is written inside, and complete when the inside ends.

    An error inside cannot become another status any more: the body then breaks off without its end, which is how a
    client tells it from a complete one, and the error is in the log. A client that leaves ends the inside, silently.
    """
    request[WAITS] = True
    response = web.StreamResponse(headers={"Content-Type": content_type, "Server": "eskit", **(headers or {})})
    await response.prepare(request)
    connection = connection_of(request)
    connection.streaming = True
    try:
        yield Writer(response, connection, request.app[SETTINGS].write_timeout_s)
        await response.write_eof()
        connection.streaming = False
    except ConnectionError:
        cut(request)
    except Stalled:
        log.info("reader cut", request_id=request_id(request), path=request.path[:300])
        if request.transport is not None:
            request.transport.close()  # when all is read; its connection cuts who goes on reading nothing
    except EskitError as error:
        log.warning("answer broken off", request_id=request_id(request), path=request.path[:300], error=error.code)
        cut(request)
    except BaseException as error:
        if isinstance(error, Exception):
            log.exception("answer broken off", request_id=request_id(request), path=request.path[:300])
        cut(request)
        if not isinstance(error, Exception):
            raise


def cut(request: web.Request) -> None:
    """Close the connection under an answer that is not complete."""
    if request.transport is not None:
        request.transport.abort()
