"""Answers that are written piece by piece, for as long as the client takes them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiohttp import web

from eskit import logs
from eskit.errors import EskitError
from eskit.web.context import request_id

log = logs.get(__name__)


@asynccontextmanager
async def streamed(
    request: web.Request, content_type: str, headers: Mapping[str, str] | None = None
) -> AsyncIterator[web.StreamResponse]:
    """A 200 whose body is written inside, and complete when the inside ends.

    An error inside cannot become another status any more: the body then breaks off without its end, which is how a
    client tells it from a complete one, and the error is in the log. A client that leaves ends the inside, silently.
    """
    response = web.StreamResponse(headers={"Content-Type": content_type, **(headers or {})})
    await response.prepare(request)
    try:
        yield response
        await response.write_eof()
    except ConnectionError:
        cut(request)
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
