"""What is around every handler: request id, limits, errors as problems, metrics, access log."""

from __future__ import annotations

import re
import time
from urllib.parse import unquote_to_bytes

from aiohttp import HttpVersion10, web
from aiohttp.typedefs import Handler
from prometheus_client import CollectorRegistry, Histogram

from eskit import logs
from eskit.errors import (
    EskitError,
    MalformedRequest,
    MethodNotAllowed,
    NotFound,
    UnsupportedMediaType,
)
from eskit.settings import Settings
from eskit.web.access_log import AccessLog
from eskit.web.bodies import SETTINGS, too_large
from eskit.web.context import WAITS, request_id
from eskit.web.problems import problem_response

log = logs.get(__name__)

_PATTERN = re.compile(r"\{(\w+):[^}]*\}")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


class RequestMetrics:
    """Counts and times requests by route, method and status."""

    def __init__(self, registry: CollectorRegistry, service: str) -> None:
        """Register under the service's name."""
        labels = ["service", "method", "route", "status"]
        self._service = service
        self._seconds = Histogram("eskit_http_request_seconds", "Time to answer.", labels, registry=registry)
        # Finding a labelled child takes longer than counting on it.
        self._children: dict[tuple[str, str, int], Histogram] = {}

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request."""
        key = (method, route, status)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self._seconds.labels(self._service, method, route, str(status))
        child.observe(seconds)


def guarded(route: web.RouteDef, metrics: RequestMetrics, access_log: AccessLog) -> web.RouteDef:
    """The route with everything around its handler.

    A wrapper and not a middleware: aiohttp's machinery for those costs a fifth of a small request.
    """
    handler, label = route.handler, _PATTERN.sub(r"{\1}", route.path)
    write_log = access_log.write

    async def around(request: web.Request) -> web.StreamResponse:
        started = time.perf_counter()
        response = await _answer(request, handler)
        seconds = time.perf_counter() - started
        waits = WAITS in request
        metrics.observe(request.method, f"{label} (waiting)" if waits else label, response.status, seconds)
        # A client that gave an id, or that met an error, may want to find its request in our logs; others pay nothing.
        if (response.status >= 400 or "X-Request-Id" in request.headers) and not response.prepared:
            response.headers["X-Request-Id"] = request_id(request)
        write_log(request, response.status, 0 if waits else seconds)
        return response

    return web.RouteDef(route.method, route.path, around, {**route.kwargs, "expect_handler": _expected})


async def _expected(request: web.Request) -> None:
    """`Expect: 100-continue` is met at once. (aiohttp's own handler fails at a value that is not UTF-8.)"""
    if request.headers["Expect"].strip().lower() != "100-continue":
        raise web.HTTPExpectationFailed
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0  # that was not the answer


async def unknown(request: web.Request) -> web.StreamResponse:
    """Where no route fits: no such path, or not with this method."""
    allowed: set[str] = set()
    for resource in request.app.router.resources():
        _, methods = await resource.resolve(request)
        allowed |= methods - {"*"}
    if not allowed:
        raise NotFound(f"There is no {request.path[:200]} in this service")
    possible = ", ".join(sorted(allowed))
    raise MethodNotAllowed(f"{request.method} is not possible here; possible: {possible}", allowed=possible)


async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        if "Content-Encoding" in request.headers:
            message = "A request body must come without Content-Encoding"
            raise UnsupportedMediaType(message, field="Content-Encoding")  # noqa: TRY301 - the table below answers it
        if request.version < HttpVersion10:
            raise MalformedRequest("Requests here are of HTTP/1.1 or 1.0")  # noqa: TRY301 - the same
        url = request.rel_url
        if "%" in url.raw_path:
            _require_utf8(url.raw_path, "path")
        if "%" in url.raw_query_string:
            _require_utf8(url.raw_query_string, "query")
        return await handler(request)
    except EskitError as error:
        if error.status == 500:
            log.exception("request failed", request_id=request_id(request), error=error.code)
        return problem_response(error, request_id(request))
    except web.HTTPException as error:
        return problem_response(_translated(error, request.app[SETTINGS]), request_id(request))
    except Exception as error:
        if isinstance(error, ConnectionError) and (request.transport is None or request.transport.is_closing()):
            raise  # nobody is there to be answered: aiohttp goes on to the next
        log.exception("request failed", request_id=request_id(request), method=request.method, path=request.path)
        return problem_response(
            EskitError("Something went wrong on our side; the log has the request id"), request_id(request)
        )


def _require_utf8(escaped: str, where: str) -> None:
    """Refuse escapes that are not UTF-8, or no escapes at all: they would be taken as text, hence as another id."""
    try:
        unquote_to_bytes(escaped).decode()
    except UnicodeDecodeError:
        raise MalformedRequest(f"The {where} is not percent-encoded UTF-8", field=where) from None
    if _BAD_ESCAPE.search(escaped):
        raise MalformedRequest(f"In the {where}, `%` must be followed by two hexadecimal digits", field=where)


def _translated(error: web.HTTPException, settings: Settings) -> EskitError:
    """What aiohttp raises by itself, in our terms."""
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return too_large("The body", settings)
    return MalformedRequest(error.reason or "The request cannot be read")
