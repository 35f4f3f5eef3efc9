"""Client of the event store."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from eskit.client.http import ServiceClient, segment
from eskit.events import Event, Originator
from eskit.ids import uuid7

Expected = str | int | None


class NewEvent(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An event to append. `expected`: `any`, `none`, `exists`, or the current version (0 for none)."""

    id: str
    event_type: str
    payload: Any
    version: int | None = None
    expected: Expected = None
    metadata: dict[str, str] = {}
    event_id: UUID | None = None
    occurred_on: datetime | None = None


class Appended(msgspec.Struct, frozen=True):
    """Where an event stands in the log."""

    event_id: UUID
    originator: Originator
    position: int


class _Appended(msgspec.Struct):
    events: list[Appended]


class LogPage(msgspec.Struct, frozen=True):
    """A page of events; `next` is where to go on, None at the end of a stream."""

    events: list[Event]
    next: int | None


class Head(msgspec.Struct, frozen=True):
    """The end of the log, and up to where the topic has it for sure."""

    position: int
    published: int


_appended = msgspec.json.Decoder(_Appended)
_page = msgspec.json.Decoder(LogPage)
_head = msgspec.json.Decoder(Head)


class EventStoreClient(ServiceClient):
    """Append and read events. Every append carries event ids: repeated after a lost answer, it is stored once."""

    async def append(self, *events: NewEvent, headers: Mapping[str, str] | None = None) -> list[Appended]:
        """Store all events or none; raises VersionConflict, EventIdReused, InvalidRequest, TooLarge, Unavailable."""
        body = msgspec.json.encode({"events": [_wire(event) for event in events]})
        answer = await self.call(
            "POST", "/v1/events", body=body, headers={"Content-Type": "application/json", **(headers or {})}
        )
        return _appended.decode(answer.body).events

    async def stream(self, entity_type: str, ident: str, *, from_version: int = 1, limit: int = 1000) -> LogPage:
        """A page of a stream, oldest first; raises NotFound."""
        path = f"/v1/streams/{segment(entity_type)}/{segment(ident)}/events?from_version={from_version}&limit={limit}"
        return _page.decode((await self.call("GET", path)).body)

    async def log(self, first: int = 1, *, limit: int = 1000, selector: str = "*") -> LogPage:
        """A page of the log from a position (inclusive) on."""
        path = f"/v1/log?from={first}&limit={limit}&selector={segment(selector)}"
        return _page.decode((await self.call("GET", path)).body)

    async def head(self) -> Head:
        """The end of the log."""
        return _head.decode((await self.call("GET", "/v1/log/head")).body)


def _wire(event: NewEvent) -> dict[str, Any]:
    originator: dict[str, Any] = {"id": event.id}
    if event.version is not None:
        originator["version"] = event.version
    given = {"metadata": event.metadata or None, "expected": event.expected, "occurred_on": event.occurred_on}
    return {
        "originator": originator,
        "event_type": event.event_type,
        "payload": event.payload,
        "event_id": event.event_id or uuid7(),
        **{name: value for name, value in given.items() if value is not None},
    }
