"""`/v1/log/tail`: the log as it grows, as server-sent events (the WHATWG's HTML standard, 9.2)."""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from eskit.errors import EskitError, InvalidRequest, Overloaded
from eskit.events import WireEvent
from eskit.web import bodies, queries
from eskit.web.connection import connection_of
from eskit.web.operations import EVENT_STREAM, Content, Operation
from eskit.web.streamed import Stalled, Writer, head_of, streamed
from eventstore_svc.api.log_filter import FilterQuery, Position
from eventstore_svc.api.resources import FEED, STORE
from eventstore_svc.live.feed import Feed, Piece
from eventstore_svc.store import Filter, one_line

LAST_EVENT_ID = "Last-Event-ID"
RECONNECT_MS = 1000
PIECE_EVENTS = 200
AWAY_S = 1.0
CUT = b"\n: cut: what was sent is not read; come back with the last id that you have\n\n"
STOPPING = b": the service stops; come back with the last id that you have\n\n"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class TailQuery(FilterQuery, kw_only=True):
    """Where to begin, and what is wanted."""

    first: Annotated[Position, Meta(description="First position; by default behind the log's end.")] | None = (
        msgspec.field(name="from", default=None)
    )


async def tail(request: web.Request) -> web.StreamResponse:
    """The log as it grows: each event as a message whose id is its position.

    A client that comes back with `Last-Event-ID` (browsers do by themselves) goes on behind it, without loss. Where a
    filter keeps messages away, a message without data tells the position from time to time. A client that does not read
    is cut, with a comment that says so.
    """
    query = queries.parse(request, TailQuery)
    wanted, feed = query.filter(), request.app[FEED]
    first = _resumed(request) or query.first or await request.app[STORE].pages.end() + 1
    if request.method == "HEAD":
        return await head_of(request, EVENT_STREAM)
    with feed.reader(), connection_of(request).until_left():
        async with streamed(request, EVENT_STREAM, HEADERS) as writer:
            try:
                await _follow(writer, feed, wanted, first, request.app[bodies.SETTINGS].tail_heartbeat_s)
            except Stalled:
                feed.cut += 1
                raise
    return writer.response


async def _follow(writer: Writer, feed: Feed, wanted: Filter, first: int, heartbeat_s: float) -> None:
    await writer.write(f"retry: {RECONNECT_MS}\n\n".encode(), CUT)
    told = first - 1  # the last position that the client knows of
    while not feed.stopping:
        try:
            piece = await feed.more(first, wanted, PIECE_EVENTS, heartbeat_s)
        except EskitError:
            # The database is away. The client need not know: it loses nothing, and will be told all when it is back.
            await asyncio.sleep(AWAY_S)
            piece = Piece([], first)
        first = piece.next
        if piece.events:
            told = first - 1
            await writer.write(_messages(piece), CUT)
        elif told < first - 1:
            told = first - 1
            await writer.write(f"id: {told}\n\n".encode(), CUT)
        else:
            await writer.write(b":\n\n", CUT)
    await writer.write(STOPPING, CUT)


def _messages(piece: Piece) -> bytes:
    return b"".join([b"id: %d\ndata: %b\n\n" % (event.position, one_line(event.json)) for event in piece.events])


def _resumed(request: web.Request) -> int | None:
    """The position behind the last one that the client has; raises InvalidRequest."""
    text = request.headers.get(LAST_EVENT_ID, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise InvalidRequest(f"{LAST_EVENT_ID} must be a position, as the ids of the messages are", field=LAST_EVENT_ID)
    return int(text) + 1


OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/log/tail",
        handler=tail,
        query=TailQuery,
        headers={LAST_EVENT_ID: "The last position that the client has; it goes on behind it, whatever `from` says."},
        answers={200: Content("Messages, until one side leaves.", {EVENT_STREAM: WireEvent})},
        errors=(Overloaded,),
    ),
)
