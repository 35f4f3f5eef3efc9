"""The history of an entity: each event, who and when, and which fields it changed from what to what."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from crud_svc.documents import changes
from crud_svc.entities import Entities
from crud_svc.exact_json import encode
from crud_svc.requests import Target
from crud_svc.state import State, fold
from eskit import times
from eskit.errors import NotFound
from eskit.events import Stored

MAX_PAGE_BYTES = 8 * 1024 * 1024

_metadata = msgspec.json.Decoder(dict[str, str])


class FieldChange(msgspec.Struct, frozen=True):
    """One field: a JSON pointer, and its value before and after; left out where there was none."""

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


class HistoryPage(msgspec.Struct):
    """Events oldest first; `next` is the `from_version` to go on with, null at the end."""

    events: list[msgspec.Raw]  # of HistoryEvent, encoded one by one to know their size
    next: int | None


async def history(entities: Entities, target: Target, from_version: int, limit: int) -> HistoryPage:
    """A page, shorter than `limit` where the changes are large; raises NotFound when there is no event at all."""
    state = State()
    page = HistoryPage([], None)
    size_bytes = 0
    async with aclosing(entities.events(target)) as events:
        async for event in events:
            before, state = state, fold(state, event)
            if event.version < from_version:
                continue
            if len(page.events) == limit or size_bytes > MAX_PAGE_BYTES:
                page.next = event.version
                break
            page.events.append(msgspec.Raw(encode(_entry(before, event, state))))
            size_bytes += len(page.events[-1])
    if state.version == 0:
        raise NotFound(f"There is no {target}")
    return page


def _entry(before: State, event: Stored, after: State) -> HistoryEvent:
    metadata = _metadata.decode(event.metadata)
    changed = before.document is not after.document
    return HistoryEvent(
        version=event.version,
        position=event.position,
        event_id=event.event_id,
        event_type=event.event_type,
        action=event.action,
        user=metadata.get("user"),
        correlation_id=metadata.get("correlation_id"),
        causation_id=metadata.get("causation_id"),
        metadata=metadata,
        occurred_on=times.rfc3339(event.occurred_on_us),
        recorded_at=times.rfc3339(event.recorded_at_us),
        changes=[FieldChange(*c) for c in changes(before.document or {}, after.document or {})] if changed else [],
    )
