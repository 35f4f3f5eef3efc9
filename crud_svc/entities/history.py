"""The history of an entity: each event, who and when, and which fields it changed from what to what."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NamedTuple

import msgspec

from crud_svc.documents.difference import Change, changes
from crud_svc.documents.exact_json import encode
from crud_svc.documents.state import State, fold
from crud_svc.entities.reading import Place, Reader
from crud_svc.entities.target import Target
from eskit import times
from eskit.entities import FieldChange, HistoryEvent, HistoryPage
from eskit.errors import NotFound
from eskit.events import Stored

MAX_PAGE_BYTES = 8 * 1024 * 1024
# A request that looks for the changes of one field looks at so many events, then answers where to go on.
MAX_SCANNED = 2000
WINDOW = 200

_metadata = msgspec.json.Decoder(dict[str, str])


class Step(NamedTuple):
    """An event, and what it changed."""

    event: Stored
    changes: list[Change]


class Wanted(NamedTuple):
    """Which part of a history: from a version on, or down; `field`: only changes of this JSON pointer or its parts."""

    first: int | None
    limit: int
    forward: bool
    field: str | None


async def history(reader: Reader, target: Target, wanted: Wanted) -> HistoryPage:
    """A page, shorter than `limit` where the changes are large; raises NotFound when there is no event at all."""
    newest = (await reader.state(target)).version
    if newest == 0:
        raise NotFound(f"There is no {target}")
    found: list[HistoryEvent] = []
    size_bytes = scanned = 0
    async for step in steps(reader, target, wanted.first, newest, forward=wanted.forward):
        if len(found) == wanted.limit or size_bytes > MAX_PAGE_BYTES or scanned == MAX_SCANNED:
            return HistoryPage(found, step.event.version)
        scanned += 1 if wanted.field is not None else 0
        if wanted.field is None or any(touches(change.path, wanted.field) for change in step.changes):
            found.append(entry(step))
            size_bytes += len(encode(found[-1]))
    return HistoryPage(found, None)


async def steps(
    reader: Reader, target: Target, first: int | None, newest: int, *, forward: bool
) -> AsyncIterator[Step]:
    """The events from a version on, or from it down; by default from the first on, or from the newest down."""
    at = min(first or newest, newest) if not forward else first or 1
    while 1 <= at <= newest:
        low, high = (at, min(at + WINDOW - 1, newest)) if forward else (max(1, at - WINDOW + 1), at)
        window = await _window(reader, target, low, high)
        for step in window if forward else reversed(window):
            yield step
        at = high + 1 if forward else low - 1


async def _window(reader: Reader, target: Target, low: int, high: int) -> list[Step]:
    state = await reader.state(target, Place(low - 1)) if low > 1 else State()
    found = []
    async for event in reader.events(target, low, high):
        before, state = state, fold(state, event)
        changed = before.document is not state.document
        found.append(Step(event, list(changes(before.document or {}, state.document or {})) if changed else []))
    return found


def touches(path: str, field: str) -> bool:
    """Whether a change at a path is one of a field: of itself, of a part of it, or of what it is a part of."""
    return path == field or path.startswith(f"{field}/") or field.startswith(f"{path}/")


def entry(step: Step) -> HistoryEvent:
    """As it is answered."""
    event = step.event
    metadata = _metadata.decode(event.metadata)
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
        changes=[FieldChange(*change) for change in step.changes],
    )
