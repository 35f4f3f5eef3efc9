"""The calls of a service as data: what is routed, and what its description (OpenAPI) says, are one and the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from eskit.errors import EskitError

JSON = "application/json"
NDJSON = "application/x-ndjson"
EVENT_STREAM = "text/event-stream"


class Content(msgspec.Struct, frozen=True):
    """What an answer or a request holds: a type of ours for each media type, or a tuple of them where it may be either.

    NDJSON: the type of one line.
    """

    description: str
    types: Mapping[str, Any] = {}  # media type -> type; none: no body
    headers: Mapping[str, str] = {}  # of an answer: header -> what it says
    example: Any = None  # of the JSON; where there are several media types, of the first

    def choices(self) -> Iterator[tuple[str, tuple[Any, ...]]]:
        """Of each media type the types it may be."""
        for media_type, kind in self.types.items():
            yield media_type, kind if isinstance(kind, tuple) else (kind,)


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One call: method, path and handler, and everything a caller must know of it.

    The handler's docstring is the description, its first sentence the summary.
    """

    method: str
    path: str  # as aiohttp writes it: `/v1/streams/{entity_type}/{id:[^/]+}`
    handler: Handler
    query: type[msgspec.Struct] | None = None  # what `queries.parse` makes of the query; its fields carry descriptions
    headers: Mapping[str, str] = {}  # request header -> what it means
    body: Content | None = None
    answers: Mapping[int, Content] = {}
    errors: tuple[type[EskitError], ...] = ()  # beside those that every call may answer

    def route(self) -> web.RouteDef:
        """As aiohttp takes it."""
        return web.route(self.method, self.path, self.handler)
