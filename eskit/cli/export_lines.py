"""The lines of an export: entities as they were at a position, or events as CloudEvents; numbers as they were sent."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET, Raw, UnsetType

from eskit.errors import InvalidRequest
from eskit.events import Event
from eskit.web.bodies import decode


class EntityLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An entity: its version, the position of its last event, and the document."""

    type: str
    id: str
    version: int = 0
    position: int = 0
    document: Raw


class EventLine(msgspec.Struct, frozen=True, kw_only=True):
    """An event in the JSON format of CloudEvents 1.0.

    `subject` is the originator's id, `sequence` its version, `recordedtime` when the log took it. What CloudEvents has
    no attribute for has one of ours: `eskitposition`, and `eskitmetadata`, a JSON object as text.
    """

    specversion: str
    id: UUID
    source: str
    type: str
    subject: str
    time: datetime
    sequence: str
    recordedtime: datetime | None = None
    eskitposition: str | None = None
    eskitmetadata: str = "{}"
    datacontenttype: str = "application/json"
    data: Raw

    @property
    def stream(self) -> tuple[str, str]:
        """Entity type and originator id."""
        return self.type.rpartition(".")[0], self.subject

    @property
    def version(self) -> int:
        """The version that the event takes; raises InvalidRequest."""
        if not (self.sequence.isascii() and self.sequence.isdecimal() and len(self.sequence) <= 20):
            raise InvalidRequest("sequence must be the originator's version in digits", field="sequence")
        return int(self.sequence)

    @property
    def metadata(self) -> dict[str, str]:
        """Of the event; raises InvalidRequest."""
        return decode(self.eskitmetadata.encode(), _metadata, "eskitmetadata")


class _Kind(msgspec.Struct):
    specversion: Raw | UnsetType = UNSET


_kind = msgspec.json.Decoder(_Kind)
_entity = msgspec.json.Decoder(EntityLine)
_event = msgspec.json.Decoder(EventLine)
_metadata = msgspec.json.Decoder(dict[str, str])
_encode = msgspec.json.Encoder().encode


def written(line: Any) -> bytes:
    """As a line of a file. Line ends within a document are spaces between its tokens: any other blank says the same."""
    return _encode(line).translate(_ONE_LINE) + b"\n"


_ONE_LINE = bytes.maketrans(b"\r\n", b"  ")


def event_line(event: Event, log: str) -> EventLine:
    """An event of the log."""
    return EventLine(
        specversion="1.0",
        id=event.event_id,
        source=f"/eskit/{log}",
        type=event.event_type,
        subject=event.originator.id,
        time=event.occurred_on,
        sequence=f"{event.originator.version:020d}",
        recordedtime=event.recorded_at,
        eskitposition=str(event.position),
        eskitmetadata=_encode(event.metadata).decode(),
        data=event.payload,
    )


def parsed(line: bytes) -> EntityLine | EventLine:
    """A line of a file; raises MalformedRequest, InvalidRequest that name the field."""
    if decode(line, _kind, "The line").specversion is UNSET:
        return decode(line, _entity)
    event = decode(line, _event)
    if event.specversion != "1.0":
        raise InvalidRequest(f"specversion must be 1.0, not {event.specversion[:20]!r}", field="specversion")
    if event.time.tzinfo is None:
        raise InvalidRequest("time needs a zone, like 2026-01-31T12:00:00Z", field="time")
    _ = event.version, event.metadata
    return event
