"""For each field of a document, which event has set it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from crud_svc.documents.difference import Document
from crud_svc.documents.exact_json import encode, token
from crud_svc.documents.state import State
from crud_svc.entities.history import steps, touches
from crud_svc.entities.reading import Reader
from crud_svc.entities.target import Target
from eskit import times
from eskit.entities import Blame, BlamedField
from eskit.events import Stored

# Looked at backward from the version asked for; a field that is older than that says so.
MAX_EVENTS = 100_000

_metadata = msgspec.json.Decoder(dict[str, str])


async def blame(reader: Reader, target: Target, state: State) -> Blame:
    """Of a state with a document; fields in the order of the document."""
    document = state.require(str(target))
    open_fields = dict(fields(document))
    found: dict[str, Stored] = {}
    looked = 0
    async for step in steps(reader, target, state.version, state.version, forward=False):
        for change in step.changes:
            for path in [path for path in open_fields if touches(change.path, path)]:
                found[path] = step.event
                del open_fields[path]
        looked += 1
        if not open_fields or looked == MAX_EVENTS:
            break
    entries = [_entry(path, value, found.get(path)) for path, value in fields(document)]
    return Blame(state.version, entries)


def fields(value: Document, at: str = "") -> Iterator[tuple[str, Any]]:
    """The places of a document that a change may name: everything but objects that have members."""
    for key, child in value.items():
        path = f"{at}/{token(key)}"
        if isinstance(child, dict) and child:
            yield from fields(child, path)
        else:
            yield path, child


def _entry(path: str, value: Any, event: Stored | None) -> BlamedField:
    raw = msgspec.Raw(encode(value))
    if event is None:
        return BlamedField(path, raw)
    user = _metadata.decode(event.metadata).get("user")
    return BlamedField(path, raw, event.version, event.event_id, user, times.rfc3339(event.recorded_at_us))
