"""`/v1/log`: all events in the order of their positions."""

from __future__ import annotations

from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from eskit.selectors import Selector
from eskit.web import bodies, queries
from eskit.web.answers import Answer
from eskit.web.operations import JSON, Content, Operation
from eventstore_svc.api.pages import MAX_PAGE, EventsPage
from eventstore_svc.api.resources import STORE


class LogQuery(msgspec.Struct, kw_only=True):
    """Which part of the log."""

    first: Annotated[int, Meta(ge=1, le=queries.MAX_POSITION, description="First position, inclusive.")] = (
        msgspec.field(name="from", default=1)
    )
    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE, description="Most events of the page.")] = 20
    selector: Annotated[str, Meta(description="Which events: `*`, `User.*`, `User.Created`, lists of them.")] = "*"


class HeadAnswer(msgspec.Struct):
    """The end of the log; everything up to `published` is known to be on the topic."""

    position: int
    published: int


class NoQuery(msgspec.Struct):
    """No parameters."""


async def read_log(request: web.Request) -> Answer:
    """A page of the log in position order. `next` goes past what the selector skipped."""
    query = queries.parse(request, LogQuery)
    page = await request.app[STORE].log(query.first, query.limit, Selector(query.selector))
    return bodies.json_response(EventsPage([e.wire() for e in page.events], page.next))


async def log_head(request: web.Request) -> Answer:
    """The last position of the log, and the last one known to be on the topic."""
    queries.parse(request, NoQuery)
    head = await request.app[STORE].head()
    return bodies.json_response(HeadAnswer(head.position, head.published))


OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/log",
        handler=read_log,
        query=LogQuery,
        answers={200: Content("A page of the log.", {JSON: EventsPage})},
    ),
    Operation(
        method="GET",
        path="/v1/log/head",
        handler=log_head,
        answers={200: Content("The end of the log.", {JSON: HeadAnswer})},
    ),
)
