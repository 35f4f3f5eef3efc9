"""What the event store takes and answers, as the SDK has it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from eskit.errors import EskitError
from eskit.events import Event, Originator
from eskit.ids import uuid7

Expected = str | int | None
Direction = Literal["forward", "backward"]


class NewEvent(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An event to append. `expected`: `any`, `none`, `exists`, or the current version (0 for none).

    `event_id` is made up when the event is made, so that the same object sent again is stored once.
    """

    id: str
    event_type: str
    payload: Any
    version: int | None = None
    expected: Expected = None
    metadata: dict[str, str] = {}
    event_id: UUID = msgspec.field(default_factory=uuid7)
    occurred_on: datetime | None = None

    def wire(self) -> dict[str, Any]:
        """As REST takes it."""
        originator: dict[str, Any] = {"id": self.id}
        if self.version is not None:
            originator["version"] = self.version
        given = {"metadata": self.metadata or None, "expected": self.expected, "occurred_on": self.occurred_on}
        return {
            "originator": originator,
            "event_type": self.event_type,
            "payload": self.payload,
            "event_id": self.event_id,
            **{name: value for name, value in given.items() if value is not None},
        }


class Appended(msgspec.Struct, frozen=True):
    """Where an event stands in the log."""

    event_id: UUID
    originator: Originator
    position: int


Append = NewEvent | Sequence[NewEvent]
"""What is stored together or not at all."""

Outcome = list[Appended] | EskitError
"""What became of one append: where its events stand, or why it was refused."""


class LogPage(msgspec.Struct, frozen=True):
    """A page of events; `next` is where to go on, None at the end."""

    events: list[Event]
    next: int | None


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """A stream without its events: where it begins and ends. Its versions have no holes."""

    entity_type: str
    id: str
    version: int
    count: int
    first_position: int
    last_position: int
    first_recorded_at: datetime
    last_recorded_at: datetime


class StreamsPage(msgspec.Struct, frozen=True):
    """A page of streams; `next` is the cursor to go on with, None at the end."""

    streams: list[Stream]
    next: str | None


class Head(msgspec.Struct, frozen=True):
    """The end of the log, and up to where the topic has it for sure."""

    position: int
    published: int


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which events of the log; all of it must fit."""

    selector: str = "*"
    entity_type: str | None = None
    correlation_id: str | None = None

    def parameters(self) -> dict[str, Any]:
        """For the query of a URL."""
        return {"selector": self.selector, "entity_type": self.entity_type, "correlation_id": self.correlation_id}


EVERYTHING = Wanted()


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a stream; also as it was `at` a moment (recorded time), or when the log ended at a `position`."""

    from_version: int = 1
    to_version: int | None = None
    at: datetime | None = None
    position: int | None = None
    direction: Direction = "forward"

    def parameters(self) -> dict[str, Any]:
        """For the query of a URL."""
        return msgspec.structs.asdict(self) | {"at": self.at and self.at.isoformat()}


WHOLE = Part()
