"""Client of the event store."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing
from itertools import islice
from typing import Any
from uuid import UUID

import msgspec

from eskit.client.event_types import (
    EVERYTHING,
    WHOLE,
    Append,
    Appended,
    Direction,
    Head,
    LogPage,
    NewEvent,
    Outcome,
    Part,
    Stream,
    StreamsPage,
    Wanted,
)
from eskit.client.following import Position, Told, followed, lines, messages
from eskit.client.http import problem_error, query, segment
from eskit.client.service import JSON, ServiceClient
from eskit.events import Event

PIECE_APPENDS = 200
SILENCE_S = 60.0  # a live tail shows that it lives more often


class _Appended(msgspec.Struct):
    events: list[Appended]


class _Result(msgspec.Struct):
    status: int
    events: list[Appended] | None = None
    problem: dict[str, Any] | None = None

    def outcome(self) -> Outcome:
        return self.events if self.events is not None else problem_error(self.status, self.problem or {})


class _Results(msgspec.Struct):
    results: list[_Result]


_appended = msgspec.json.Decoder(_Appended)
_results = msgspec.json.Decoder(_Results)
_page = msgspec.json.Decoder(LogPage)
_event = msgspec.json.Decoder(Event)
_stream = msgspec.json.Decoder(Stream)
_streams = msgspec.json.Decoder(StreamsPage)
_head = msgspec.json.Decoder(Head)


class EventStore(ServiceClient):
    """Append and read events. Every append carries event ids: repeated after a lost answer, it is stored once."""

    service = "the event store"

    async def append(self, *events: NewEvent, headers: Mapping[str, str] | None = None) -> list[Appended]:
        """Store all events or none; raises VersionConflict, EventIdReused, InvalidRequest, TooLarge, Unavailable."""
        body = msgspec.json.encode({"events": [event.wire() for event in events]})
        answer = self.call("POST", "/v1/events", body=body, headers={**JSON, **(headers or {})})
        return (await self.read(_appended, answer)).events

    async def append_batch(
        self, appends: Sequence[Append], *, headers: Mapping[str, str] | None = None
    ) -> list[Outcome]:
        """Store independent appends with one call; what became of each, in order. One that is refused fails alone."""
        body = msgspec.json.encode({"appends": [_wire(one) for one in appends]})
        answer = self.call("POST", "/v1/events/batch", body=body, headers={**JSON, **(headers or {})})
        return [result.outcome() for result in (await self.read(_results, answer)).results]

    async def append_many(self, appends: Iterable[Append], *, piece: int = PIECE_APPENDS) -> AsyncIterator[Outcome]:
        """Store any number of independent appends, a piece of them with each call; what became of each, in order."""
        left = iter(appends)
        while some := list(islice(left, piece)):
            for outcome in await self.append_batch(some):
                yield outcome

    async def stream(self, entity_type: str, ident: str, part: Part = WHOLE, *, limit: int = 1000) -> LogPage:
        """A page of a stream; raises NotFound."""
        asked = query(limit=limit, **part.parameters())
        return await self.read(_page, self.call("GET", f"{_path(entity_type, ident)}/events{asked}"))

    async def stream_info(self, entity_type: str, ident: str) -> Stream:
        """Where a stream begins and ends; raises NotFound."""
        return await self.read(_stream, self.call("GET", _path(entity_type, ident)))

    async def streams(
        self, entity_type: str | None = None, *, cursor: str | None = None, limit: int = 1000
    ) -> StreamsPage:
        """A page of the list of streams, in the order of entity type and id."""
        asked = query(entity_type=entity_type, cursor=cursor, limit=limit)
        return await self.read(_streams, self.call("GET", f"/v1/streams{asked}"))

    async def event(self, event_id: UUID) -> Event:
        """One event by its id; raises NotFound."""
        return await self.read(_event, self.call("GET", f"/v1/events/{event_id}"))

    async def log(
        self,
        first: int | None = None,
        *,
        limit: int = 1000,
        wanted: Wanted = EVERYTHING,
        direction: Direction = "forward",
        wait_s: float = 0.0,
    ) -> LogPage:
        """A page of the log from a position (inclusive) on, by default from its beginning, backward from its end.

        `wait_s`: how long the store may wait for an event, where there is none yet (30 at most).
        """
        parameters = {"from": first, "limit": limit, "direction": direction, "wait": wait_s or None}
        asked = query(**parameters, **wanted.parameters())
        return await self.read(_page, self.call("GET", f"/v1/log{asked}", longer_s=wait_s))

    async def events(self, first: int = 1, *, wanted: Wanted = EVERYTHING) -> AsyncGenerator[Event, None]:
        """All events from a position up to the log's end as one stream. A connection that breaks is made again."""

        async def read(position: Position) -> AsyncGenerator[Told, None]:
            path = f"/v1/log{query(**{'from': position}, **wanted.parameters())}"
            headers = {"Accept": "application/x-ndjson"}
            async with self.streaming(path, headers=headers, silence_s=SILENCE_S) as pieces:
                async for line in lines(pieces):
                    event = _event.decode(line)
                    yield event.position, event

        async with aclosing(followed(read, first, self._connections.patience_s, endless=False)) as found:
            async for event in found:
                yield event

    async def tail(self, first: int | None = None, *, wanted: Wanted = EVERYTHING) -> AsyncGenerator[Event, None]:
        """The log as it grows, without an end; by default from its present end on.

        A connection that breaks is made again, and nothing is lost or comes twice. Raises Unavailable when the store
        stays away longer than the patience.
        """

        async def read(position: Position) -> AsyncGenerator[Told, None]:
            path = f"/v1/log/tail{query(**{'from': position}, **wanted.parameters())}"
            headers = {"Accept": "text/event-stream"}
            async with self.streaming(path, headers=headers, silence_s=SILENCE_S) as pieces:
                async for message in messages(pieces):
                    yield message.position, _event.decode(message.data) if message.data else None

        first = (await self.head()).position + 1 if first is None else first
        async with aclosing(followed(read, first, self._connections.patience_s, endless=True)) as found:
            async for event in found:
                yield event

    async def head(self) -> Head:
        """The end of the log."""
        return await self.read(_head, self.call("GET", "/v1/log/head"))


def _wire(append: Append) -> dict[str, Any]:
    return append.wire() if isinstance(append, NewEvent) else {"events": [event.wire() for event in append]}


def _path(entity_type: str, ident: str) -> str:
    return f"/v1/streams/{segment(entity_type)}/{segment(ident)}"
