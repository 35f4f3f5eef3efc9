"""The shapes of entities, as REST answers them: the CRUD service and its client share them.

Times are text: RFC 3339, UTC, six digits.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType


class Written(msgspec.Struct, frozen=True):
    """Where an entity stands after a write; `position` is that of its last event in the log."""

    id: str
    version: int
    position: int


class FieldChange(msgspec.Struct, frozen=True):
    """One field that an event changed: a JSON pointer, and its value before and after; UNSET where there was none."""

    path: str
    old: Any | UnsetType = UNSET
    new: Any | UnsetType = UNSET


class HistoryEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event of an entity. An event that the CRUD service did not write has no changes."""

    version: int
    position: int
    event_id: str
    event_type: str
    action: str
    user: str | None
    correlation_id: str | None
    causation_id: str | None
    metadata: dict[str, str]
    occurred_on: str
    recorded_at: str
    changes: list[FieldChange]


class HistoryPage(msgspec.Struct, frozen=True):
    """A page of a history; `next` is the `from_version` to go on with, null at the end."""

    events: list[HistoryEvent]
    next: int | None


class FieldOrigin(msgspec.Struct, frozen=True, kw_only=True):
    """A field of a document: a JSON pointer, its value, and which version set it, when, on whose behalf."""

    path: str
    value: Any
    version: int
    event_id: str
    user: str | None
    recorded_at: str


class Blame(msgspec.Struct, frozen=True):
    """Where each field of a document comes from, as of a version."""

    version: int
    fields: list[FieldOrigin]
