"""What goes into the log and what comes back: validated new events, and their places."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

import msgspec

from eskit.names import EventType

NEXT = 0
"""`NewEvent.wanted`: the next version, whatever it is."""
NEXT_OF_EXISTING = -1
"""`NewEvent.wanted`: the next version of a stream that has events."""


class NewEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event that is valid and ready to be stored."""

    event_id: UUID
    id_is_given: bool  # by the caller, so that it may be in the log already
    type: EventType
    originator_id: str
    wanted: int = NEXT  # the version it must take, or NEXT, or NEXT_OF_EXISTING
    payload: bytes  # a JSON object, UTF-8
    metadata: bytes  # a JSON object of strings, UTF-8
    occurred_on_us: int | None = None  # microseconds since 1970; None: when it is stored
    # How its caller calls it, for errors that name a field: `events[2].` where it is one of several.
    at: str = ""
    version_said_in: str = "originator.version"

    def field(self, name: str) -> str:
        """A field of this event as its caller wrote it."""
        return self.at + name

    @property
    def size_bytes(self) -> int:
        """What counts against the event limit: everything that varies in its Kafka record."""
        names = 2 * (len(self.type.entity_type) + len(self.type.action))
        return len(self.payload) + len(self.metadata) + names + 3 * len(self.originator_id.encode())


class Recorded(NamedTuple):
    """Where an event stands in the log."""

    event_id: UUID
    originator_id: str
    version: int
    position: int


class Appended(NamedTuple):
    """The answer to an append. `new` is False when it had been stored before: this is the first answer again."""

    events: list[Recorded]
    new: bool
