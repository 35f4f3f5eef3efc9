"""What the CRUD service answers about entities: the service encodes these shapes, its client decodes them."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType


class Written(msgspec.Struct, frozen=True):
    """Where an entity stands after a write; `position` is that of its last event in the log."""

    id: str
    version: int
    position: int


class FieldChange(msgspec.Struct, frozen=True):
    """One field that an event changed: a JSON pointer, and its value before and after; left out where it had none."""

    path: str
    old: Any | UnsetType = UNSET
    new: Any | UnsetType = UNSET


class HistoryEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event of an entity. One that the CRUD service did not write has no changes. Times are RFC 3339, UTC."""

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
    """Events in the order asked for; `next` is the `from_version` to go on with, null at the end."""

    events: list[HistoryEvent]
    next: int | None


class BlamedField(msgspec.Struct, frozen=True):
    """A field as it is, and the event that has set it; null: one before those that were looked at."""

    path: str
    value: Any
    version: int | None = None
    event_id: str | None = None
    user: str | None = None
    recorded_at: str | None = None


class Blame(msgspec.Struct, frozen=True):
    """The fields of a document as of a version, in its order."""

    version: int
    fields: list[BlamedField]


class ListedEntity(msgspec.Struct, frozen=True, omit_defaults=True):
    """An entity of a list. Times are RFC 3339, UTC."""

    id: str
    version: int
    position: int
    created_at: str
    modified_at: str
    deleted: bool = False
    document: Annotated[msgspec.Raw, Meta(extra_json_schema={"type": "object"})] | UnsetType = UNSET


class ListAnswer(msgspec.Struct, frozen=True):
    """A page. `next`: the cursor of the next one, null at the end."""

    entities: list[ListedEntity]
    next: str | None
    count: int | UnsetType = UNSET
