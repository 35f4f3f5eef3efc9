"""`/v1/streams`: which streams there are, in the order of entity type and id."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from eskit import names
from eskit.errors import InvalidRequest
from eskit.web import bodies, queries
from eskit.web.answers import Answer
from eskit.web.operations import JSON, Content, Operation
from eventstore_svc.api.pages import MAX_PAGE, next_link
from eventstore_svc.api.resources import STORE
from eventstore_svc.api.streams import StreamAnswer, stream_answer

_place = msgspec.json.Decoder(tuple[str, str])


class StreamsQuery(msgspec.Struct, kw_only=True):
    """Which streams."""

    entity_type: Annotated[str, Meta(description="Only streams of this type.")] | None = None
    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE, description="Most streams of the page.")] = 100
    cursor: Annotated[str, Meta(max_length=1000, description="The last page's `next`.")] | None = None


class StreamsPage(msgspec.Struct):
    """A page of streams; `next` is the `cursor` of the next page, null at the end."""

    streams: list[StreamAnswer]
    next: str | None


async def list_streams(request: web.Request) -> Answer:
    """Streams in the order of entity type and id. None that was there at the first page is missed, none is repeated."""
    query = queries.parse(request, StreamsQuery)
    only = query.entity_type if query.entity_type is None else names.entity_type(query.entity_type)
    place = (only or "", "") if query.cursor is None else _decoded(query.cursor, only)
    found = await request.app[STORE].streams_after(place, only, query.limit + 1)
    page = found[: query.limit]
    following = _encoded((page[-1].entity_type, page[-1].originator_id)) if len(found) > query.limit else None
    headers = {"Link": next_link(request, cursor=following)} if following else None
    return bodies.json_response(StreamsPage([stream_answer(info) for info in page], following), headers=headers)


def _encoded(place: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def _decoded(cursor: str, only: str | None) -> tuple[str, str]:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        place = _place.decode(text)
        names.entity_type(place[0])
        names.originator_id(place[1])
    except (binascii.Error, msgspec.DecodeError, UnicodeDecodeError, ValueError, InvalidRequest):
        raise InvalidRequest("cursor is not one that this service answered", field="cursor") from None
    if only is not None and place[0] != only:
        raise InvalidRequest("cursor is of a list with another entity_type", field="cursor")
    return place


OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/streams",
        handler=list_streams,
        query=StreamsQuery,
        answers={
            200: Content("A page of streams.", {JSON: StreamsPage}, {"Link": "The next page, where there is one."})
        },
    ),
)
