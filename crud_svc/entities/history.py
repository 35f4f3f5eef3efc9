"""The history of an entity: each event, who and when, and which fields it changed from what to what."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
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
# Backward so many events are folded forward at once, and kept until they are asked for.
MAX_WINDOW = 200
MAX_HELD_BYTES = 8 * 1024 * 1024

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
    if wanted.forward:
        steps = forward(reader, target, wanted.first or 1, newest)
    else:
        steps = backward(reader, target, min(wanted.first or newest, newest), min(wanted.limit + 1, MAX_WINDOW))
    async for step in steps:
        if len(found) == wanted.limit or size_bytes > MAX_PAGE_BYTES or scanned == MAX_SCANNED:
            return HistoryPage(found, step.event.version)
        scanned += 1 if wanted.field is not None else 0
        if wanted.field is None or any(touches(change.path, wanted.field) for change in step.changes):
            found.append(entry(step))
            size_bytes += len(encode(found[-1]))
    return HistoryPage(found, None)


async def forward(reader: Reader, target: Target, first: int, last: int) -> AsyncGenerator[Step, None]:
    """The events from a version to another, one at a time."""
    state = await reader.state(target, Place(first - 1)) if 1 < first <= last else State()
    async for event in reader.events(target, first, last):
        before, state = state, fold(state, event)
        changed = before.document is not state.document
        yield Step(event, list(changes(before.document or {}, state.document or {})) if changed else [])
        await asyncio.sleep(0)  # between large documents others have their turn


async def backward(reader: Reader, target: Target, last: int, window: int = 20) -> AsyncGenerator[Step, None]:
    """The events from a version down to the first, folded in windows: few of large ones, so that they fit."""
    while last >= 1:
        held: deque[Step] = deque()
        size_bytes = 0
        async for step in forward(reader, target, max(1, last - window + 1), last):
            held.append(step)
            size_bytes += len(step.event.payload)
            while size_bytes > MAX_HELD_BYTES and len(held) > 1:
                size_bytes -= len(held.popleft().event.payload)
        if not held:
            return
        for step in reversed(held):
            yield step
        last, window = held[0].event.version - 1, min(2 * len(held), MAX_WINDOW)


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
