"""The event store over REST: the routes and what they need."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import msgspec
from aiohttp import web

from eskit import names
from eskit.events import Originator, WireEvent
from eskit.selectors import Selector
from eskit.settings import Settings
from eskit.web import bodies, queries
from eskit.web.app import create_app
from eskit.web.context import REQUEST_ID, given_in_headers
from eventstore_svc.requests import Cause, parse_append
from eventstore_svc.store import LAST_VERSION, Appended, EventStore, open_event_store

STORE: web.AppKey[EventStore] = web.AppKey("event_store", EventStore)

MAX_PAGE = 1000


class AppendedEvent(msgspec.Struct):
    """Where one event of an append stands."""

    event_id: UUID
    originator: Originator
    position: int


class AppendAnswer(msgspec.Struct):
    """The answer to `POST /v1/events`, in the order of the request."""

    events: list[AppendedEvent]


class EventsPage(msgspec.Struct):
    """A page of events; `next` is the `from` (of the log) or `from_version` (of a stream) to go on with."""

    events: list[WireEvent]
    next: int | None


async def append(request: web.Request) -> web.Response:
    """Store one event, or several atomically."""
    settings = request.app[bodies.SETTINGS]
    body = await bodies.read(request, "application/json")
    cause = Cause(given_in_headers(request), request[REQUEST_ID])
    events = parse_append(body, cause, settings.max_events)
    return _answer(await request.app[STORE].append(events))


def _answer(appended: Appended) -> web.Response:
    events = [AppendedEvent(e.event_id, Originator(e.originator_id, e.version), e.position) for e in appended.events]
    return bodies.json_response(AppendAnswer(events), status=201 if appended.new else 200)


async def read_stream(request: web.Request) -> web.Response:
    """The events of one stream, oldest first."""
    queries.allow(request, "from_version", "to_version", "limit")
    kind = names.entity_type(request.match_info["entity_type"])
    ident = names.originator_id(request.match_info["id"])
    first = queries.integer(request, "from_version", 1, least=1, most=LAST_VERSION)
    last = queries.integer(request, "to_version", LAST_VERSION, least=1, most=LAST_VERSION)
    limit = queries.integer(request, "limit", MAX_PAGE, least=1, most=MAX_PAGE)
    events, more = await request.app[STORE].stream(kind, ident, from_version=first, to_version=last, limit=limit)
    return bodies.json_response(EventsPage([e.wire() for e in events], events[-1].version + 1 if more else None))


async def read_log(request: web.Request) -> web.Response:
    """A page of the log in position order. `next` goes past what the selector skipped."""
    queries.allow(request, "from", "limit", "selector")
    first = queries.integer(request, "from", 1, least=1, most=queries.MAX_POSITION)
    limit = queries.integer(request, "limit", 20, least=1, most=MAX_PAGE)
    page = await request.app[STORE].log(first, limit, Selector(request.query.get("selector", "*")))
    return bodies.json_response(EventsPage([e.wire() for e in page.events], page.next))


async def log_head(request: web.Request) -> web.Response:
    """The last position of the log, and the last one known to be on the topic."""
    queries.allow(request)
    head = await request.app[STORE].head()
    return bodies.json_response({"position": head.position, "published": head.published})


async def _store(app: web.Application) -> AsyncIterator[None]:
    async with open_event_store(app[bodies.SETTINGS], "eskit eventstore") as store:
        app[STORE] = store
        yield


def eventstore_app(settings: Settings) -> web.Application:
    """The event store service."""
    return create_app(
        "eventstore",
        settings,
        routes=[
            web.post("/v1/events", append),
            web.get("/v1/streams/{entity_type}/{id:[^/]+}/events", read_stream),
            web.get("/v1/log", read_log),
            web.get("/v1/log/head", log_head),
        ],
        resources=[_store],
        checks={"database": lambda app: app[STORE].check()},
    )
