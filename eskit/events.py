"""The shapes of an event: as it is asked for, and as it stands in the log (REST, Kafka and Python alike)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta

from eskit import times


class Originator(msgspec.Struct, frozen=True):
    """The thing an event is about, and the version this event takes (1, 2, 3 …)."""

    id: str
    version: int


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event of the log. Equality is by content."""

    position: int
    event_id: UUID
    originator: Originator
    entity_type: str
    event_type: str
    payload: msgspec.Raw  # the bytes as they were sent
    metadata: dict[str, str]
    occurred_on: datetime  # UTC, when it happened, as the producer says
    recorded_at: datetime  # UTC, when it was stored; never goes back along the log

    @property
    def action(self) -> str:
        """The last word of the event type."""
        return self.event_type.rpartition(".")[2]

    def data(self) -> Any:
        """The payload, decoded."""
        return msgspec.json.decode(self.payload)


TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}


class WireEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event as REST answers it: times as text, always with six digits."""

    position: int
    event_id: str
    originator: Originator
    entity_type: str
    event_type: str
    payload: Annotated[msgspec.Raw, Meta(extra_json_schema={"type": "object"})]
    metadata: Annotated[msgspec.Raw, Meta(extra_json_schema=TEXTS)]
    occurred_on: str
    recorded_at: str


class Stored(msgspec.Struct, frozen=True):
    """One row of the events table: what readers and the relay take from Postgres. Times in microseconds since 1970."""

    position: int
    event_id: str
    entity_type: str
    originator_id: str
    version: int
    action: str
    payload: str
    metadata: str  # a JSON object of strings
    occurred_on_us: int
    recorded_at_us: int

    @property
    def event_type(self) -> str:
        """`<entity type>.<Action>`."""
        return f"{self.entity_type}.{self.action}"

    def wire(self) -> WireEvent:
        """The event as REST answers it."""
        return WireEvent(
            position=self.position,
            event_id=self.event_id,
            originator=Originator(self.originator_id, self.version),
            entity_type=self.entity_type,
            event_type=self.event_type,
            payload=msgspec.Raw(self.payload.encode()),
            metadata=msgspec.Raw(self.metadata.encode()),
            occurred_on=times.rfc3339(self.occurred_on_us),
            recorded_at=times.rfc3339(self.recorded_at_us),
        )
