"""`/v1/log`: all events in the order of their positions, in pages or as one stream of lines."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from aiohttp import web
from msgspec import Meta

from eskit.errors import InvalidRequest, Unavailable
from eskit.events import WireEvent
from eskit.web import bodies, queries
from eskit.web.answers import Answer
from eskit.web.connection import connection_of
from eskit.web.context import WAITS
from eskit.web.operations import JSON, NDJSON, Content, Operation
from eskit.web.streamed import head_of, streamed
from eventstore_svc.api.log_filter import FilterQuery, Position
from eventstore_svc.api.pages import EventsPage, Limit, events_page
from eventstore_svc.api.resources import FEED, STORE
from eventstore_svc.api.streams import Direction
from eventstore_svc.store import Filter

DEFAULT_PAGE = 20


class LogQuery(FilterQuery, kw_only=True):
    """Which part of the log."""

    first: (
        Annotated[Position, Meta(description="First position, inclusive; by default 1, backward the log's end.")] | None
    ) = msgspec.field(name="from", default=None)
    limit: Limit | None = None
    direction: Direction = "forward"
    wait: Annotated[
        float, Meta(ge=0, le=30, description="Seconds to wait for an event, where there is none yet (long poll).")
    ] = 0
    event_id: Annotated[UUID, Meta(description="Only the event with this id.")] | None = None


class HeadAnswer(msgspec.Struct):
    """The end of the log; everything up to `published` is known to be on the topic."""

    position: int
    published: int


async def read_log(request: web.Request) -> web.StreamResponse:
    """A page of the log, or with `Accept: application/x-ndjson` all of it up to its end, one event a line.

    `next` goes past what the filter skipped; one page looks at 100,000 positions at most, so it may be empty and have
    a `next` all the same. Lines come until the log's end as it was at the request; `limit` is for pages. A body of
    lines that breaks off without the end of its chunks was cut by an error: go on behind the last whole line.
    """
    query = queries.parse(request, LogQuery)
    if NDJSON in request.headers.get("Accept", ""):
        return await _lines(request, query)
    if query.wait and (query.direction == "backward" or query.event_id is not None):
        raise InvalidRequest("wait is for what comes: not with direction=backward, not with event_id", field="wait")
    wanted, limit = query.filter(query.event_id), query.limit or DEFAULT_PAGE
    pages = request.app[STORE].pages
    if query.direction == "backward":
        page = await pages.log_backward(wanted, query.first, limit)
    else:
        page = await pages.log(wanted, query.first or 1, limit)
        if query.wait and not page.events:
            return await _waited(request, wanted, page.next or 1, limit, query.wait)
    return events_page(request, page.events, page.next, "from", linked=page.more)


async def _waited(request: web.Request, wanted: Filter, first: int, limit: int, wait_s: float) -> Answer:
    """The page as soon as there is something in it, an empty one when the time is over."""
    feed = request.app[FEED]
    request[WAITS] = True
    with feed.reader(), connection_of(request).until_left():
        piece = await feed.more(first, wanted, limit, wait_s)
    if feed.away and not piece.events:
        raise Unavailable("The database cannot be read; try again")
    return events_page(request, [event.json for event in piece.events], piece.next, "from", linked=False)


async def _lines(request: web.Request, query: LogQuery) -> web.StreamResponse:
    if query.limit is not None or query.direction == "backward" or query.wait:
        field = "limit" if query.limit is not None else "direction" if query.direction == "backward" else "wait"
        raise InvalidRequest(f"{field} is for pages, not for lines (application/x-ndjson)", field=field)
    pages = request.app[STORE].pages
    wanted = query.filter(query.event_id)
    if request.method == "HEAD":
        return await head_of(request, NDJSON)
    until = await pages.end()
    async with streamed(request, NDJSON) as writer:
        async for piece in pages.lines(wanted, query.first or 1, until):
            await writer.write(piece)
    return writer.response


async def log_head(request: web.Request) -> Answer:
    """The last position of the log, and the last one known to be on the topic."""
    queries.parse(request, queries.NoQuery)
    head = await request.app[STORE].head()
    return bodies.json_response(HeadAnswer(head.position, head.published))


OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/log",
        handler=read_log,
        query=LogQuery,
        headers={"Accept": f"`{NDJSON}`: one event a line, up to the log's end."},
        answers={
            200: Content(
                "A page of the log; `next` is the `from` of the next page, or of what comes. Or lines.",
                {JSON: EventsPage, NDJSON: WireEvent},
                {"Link": "The next page, where there may be something in it already."},
            )
        },
    ),
    Operation(
        method="GET",
        path="/v1/log/head",
        handler=log_head,
        query=queries.NoQuery,
        answers={200: Content("The end of the log.", {JSON: HeadAnswer})},
    ),
)
