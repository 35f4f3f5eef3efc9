"""`/v1/streams/{entity_type}/{id}`: the events of one originator, and where its stream begins and ends."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from eskit import names, times
from eskit.errors import NotFound
from eskit.web import bodies, queries
from eskit.web.answers import Answer
from eskit.web.etags import IF_NONE_MATCH, etag, unchanged
from eskit.web.operations import JSON, Content, Operation
from eventstore_svc.api.pages import MAX_PAGE, EventsPage, Limit, events_page
from eventstore_svc.api.resources import STORE
from eventstore_svc.store import LAST_VERSION, StreamInfo

Version = Annotated[int, Meta(ge=1, le=LAST_VERSION)]
Direction = Annotated[Literal["forward", "backward"], Meta(description="`forward`: oldest first.")]
ETAGS = {"If-None-Match": "ETags of answers that the client has; 304 when nothing is new."}


class StreamQuery(msgspec.Struct, kw_only=True):
    """Which part of a stream."""

    from_version: Annotated[Version, Meta(description="Least version that is answered.")] = 1
    to_version: Annotated[Version, Meta(description="Greatest version that is answered.")] = LAST_VERSION
    at: Annotated[datetime, Meta(tz=True, description="As it was at this moment (recorded time).")] | None = None
    position: Annotated[int, Meta(ge=1, le=queries.MAX_POSITION, description="As it was when the log ended here.")] | (
        None
    ) = None
    limit: Limit = MAX_PAGE
    direction: Direction = "forward"


class StreamAnswer(msgspec.Struct):
    """A stream, without its events. Its versions have no holes: it has as many events as its version says."""

    entity_type: str
    id: str
    version: int
    count: int
    first_position: int
    last_position: int
    first_recorded_at: str
    last_recorded_at: str


def stream_answer(info: StreamInfo) -> StreamAnswer:
    """As it is answered."""
    return StreamAnswer(
        entity_type=info.entity_type,
        id=info.originator_id,
        version=info.version,
        count=info.version,
        first_position=info.first_position,
        last_position=info.last_position,
        first_recorded_at=times.rfc3339(info.first_recorded_us),
        last_recorded_at=times.rfc3339(info.last_recorded_us),
    )


def _stream(request: web.Request) -> tuple[str, str]:
    return names.entity_type(request.match_info["entity_type"]), names.originator_id(request.match_info["id"])


def _tag(query: StreamQuery, top: int) -> str:
    """What a page depends on beside its URL: events never change, so where it ends, and whether more follow.

    `top` is the greatest version that may be answered.
    """
    if query.direction == "backward":
        return str(top)
    end = min(top, query.from_version + query.limit - 1)
    return f"{end}+" if end < top else str(end)


async def read_stream(request: web.Request) -> Answer:
    """The events of one stream. Pages are linked: follow `Link` with `rel="next"` until there is none."""
    query = queries.parse(request, StreamQuery)
    stream = _stream(request)
    store = request.app[STORE]
    top = query.to_version
    if query.at is not None or query.position is not None:
        top = min(top, await store.pages.version_at(stream, position=query.position, at=query.at))
    if IF_NONE_MATCH in request.headers:
        tag = _tag(query, min(top, await store.pages.version(stream)))
        if unchanged(request, tag):
            return Answer(status=304, headers={"ETag": etag(tag)})
    forward = query.direction == "forward"
    page = await store.pages.stream(
        stream, from_version=query.from_version, to_version=top, limit=query.limit, forward=forward
    )
    top = min(top, page.version)
    headers = {"ETag": etag(_tag(query, top))}
    if forward:
        following = page.last + 1 if page.events and page.last < top else None
    else:
        following = page.first - 1 if page.events and page.first > query.from_version else None
    parameter = "from_version" if forward else "to_version"
    return events_page(request, page.events, following, parameter, linked=following is not None, tag=headers)


async def read_stream_info(request: web.Request) -> Answer:
    """Where a stream begins and ends: its version, its first and last position and time."""
    queries.parse(request, queries.NoQuery)
    info = await request.app[STORE].stream_info(*_stream(request))
    headers = {"ETag": etag(info.version)}
    if unchanged(request, info.version):
        return Answer(status=304, headers=headers)
    return bodies.json_response(stream_answer(info), headers=headers)


NOT_CHANGED = Content("Nothing is new since the answer with this ETag.", headers={"ETag": "As before."})

OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/streams/{entity_type}/{id:[^/]+}/events",
        handler=read_stream,
        query=StreamQuery,
        headers=ETAGS,
        answers={
            200: Content(
                "A page of the stream. `next` is for `from_version`, or going backward for `to_version`.",
                {JSON: EventsPage},
                {"ETag": "Changes when this answer would.", "Link": "The next page, where there is one."},
            ),
            304: NOT_CHANGED,
        },
        errors=(NotFound,),
    ),
    Operation(
        method="GET",
        path="/v1/streams/{entity_type}/{id:[^/]+}",
        handler=read_stream_info,
        query=queries.NoQuery,
        headers=ETAGS,
        answers={200: Content("The stream.", {JSON: StreamAnswer}, {"ETag": "The version."}), 304: NOT_CHANGED},
        errors=(NotFound,),
    ),
)
