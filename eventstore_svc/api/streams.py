"""`/v1/streams`: the events of one originator."""

from __future__ import annotations

from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from eskit import names
from eskit.errors import NotFound
from eskit.web import bodies, queries
from eskit.web.answers import Answer
from eskit.web.operations import JSON, Content, Operation
from eventstore_svc.api.pages import MAX_PAGE, EventsPage
from eventstore_svc.api.resources import STORE
from eventstore_svc.store import LAST_VERSION

Version = Annotated[int, Meta(ge=1, le=LAST_VERSION)]


class StreamQuery(msgspec.Struct, kw_only=True):
    """Which part of a stream."""

    from_version: Annotated[Version, Meta(description="First version that is answered.")] = 1
    to_version: Annotated[Version, Meta(description="Last version that is answered.")] = LAST_VERSION
    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE, description="Most events of the page.")] = MAX_PAGE


async def read_stream(request: web.Request) -> Answer:
    """The events of one stream, oldest first."""
    query = queries.parse(request, StreamQuery)
    kind = names.entity_type(request.match_info["entity_type"])
    ident = names.originator_id(request.match_info["id"])
    events, more = await request.app[STORE].stream(
        kind, ident, from_version=query.from_version, to_version=query.to_version, limit=query.limit
    )
    return bodies.json_response(EventsPage([e.wire() for e in events], events[-1].version + 1 if more else None))


OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/streams/{entity_type}/{id:[^/]+}/events",
        handler=read_stream,
        query=StreamQuery,
        answers={200: Content("A page of the stream.", {JSON: EventsPage})},
        errors=(NotFound,),
    ),
)
