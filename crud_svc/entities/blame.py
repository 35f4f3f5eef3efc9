"""For each field of a document, which event has set it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from crud_svc.documents.difference import Document
from crud_svc.documents.exact_json import encode, token
from crud_svc.documents.state import State
from crud_svc.entities.history import backward
from crud_svc.entities.reading import Reader
from crud_svc.entities.target import Target
from eskit import times
from eskit.entities import Blame, BlamedField
from eskit.events import Stored

# Looked at backward from the version asked for; a field that is older than that says so.
MAX_EVENTS = 100_000

_metadata = msgspec.json.Decoder(dict[str, str])

Tree = dict[str, Any]


async def blame(reader: Reader, target: Target, state: State) -> Blame:
    """Of a state with a document; fields in the order of the document."""
    document = state.require(str(target))
    left = tree(document)
    found: dict[str, Stored] = {}
    looked = 0
    async for step in backward(reader, target, state.version):
        for change in step.changes:
            found.update(dict.fromkeys(take(left, change.path), step.event))
        looked += 1
        if not left or looked == MAX_EVENTS:
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


def tree(value: Document, at: str = "") -> Tree:
    """The same as objects in objects, to take out of it what is found: a change costs its depth, and what it takes."""
    made: Tree = {}
    for key, child in value.items():
        step = token(key)
        path = f"{at}/{step}"
        made[step] = tree(child, path) if isinstance(child, dict) and child else path
    return made


def take(left: Tree, path: str) -> Iterator[str]:
    """Take out the fields that a change has to do with: that place, its parts, and what it is a part of."""
    *above, last = path.split("/")[1:]
    way = []
    for step in above:
        child = left.get(step)
        if not isinstance(child, dict):
            last = step  # an empty object now, of which this was a part; or nothing that is left
            break
        way.append((left, step))
        left = child
    taken = left.pop(last, None)
    for parent, step in reversed(way):
        if parent[step]:
            break
        del parent[step]
    yield from _paths(taken)


def _paths(taken: Tree | str | None) -> Iterator[str]:
    if isinstance(taken, str):
        yield taken
    elif taken is not None:
        for child in taken.values():
            yield from _paths(child)


def _entry(path: str, value: Any, event: Stored | None) -> BlamedField:
    raw = msgspec.Raw(encode(value))
    if event is None:
        return BlamedField(path, raw)
    user = _metadata.decode(event.metadata).get("user")
    return BlamedField(path, raw, event.version, event.event_id, user, times.rfc3339(event.recorded_at_us))
