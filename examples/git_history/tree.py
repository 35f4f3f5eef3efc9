"""The tree as the topic tells it: folds the events into documents, knowing nothing but the events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import jsonpatch
import msgspec

from eskit.events import Event
from examples.git_history.history import Document

MOST_COMPLAINTS = 20


class Entry(msgspec.Struct, frozen=True):
    """An entity after its last event; no document when it is deleted."""

    id: str
    version: int
    document: Document | None


class Summary(msgspec.Struct, frozen=True):
    """The last line of the tree program's output."""

    events: int
    seconds: float
    complaints: list[str]


class Tree:
    """All entities of one type. It complains of every event that does not follow its predecessor."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self.events = 0
        self.complaints: list[str] = []

    def apply(self, event: Event) -> None:
        """Take one event."""
        self.events += 1
        ident, version = event.originator.id, event.originator.version
        before = self._entries.get(ident, Entry(ident, 0, None))
        if version != before.version + 1 and len(self.complaints) < MOST_COMPLAINTS:
            self.complaints.append(f"{ident!r}: version {version} came after version {before.version}")
        self._entries[ident] = Entry(ident, version, after(before.document, event.action, event.data()))

    def take_over(self, other: Tree) -> None:
        """Add the entities of a tree that has none of this one's."""
        self._entries |= other._entries
        self.events += other.events
        self.complaints += other.complaints

    def entries(self) -> Iterator[Entry]:
        """Every entity, deleted ones too, ordered by id."""
        return iter(sorted(self._entries.values(), key=lambda entry: entry.id))


def after(document: Document | None, action: str, payload: Any) -> Document | None:
    """The document after one event."""
    result: Document | None = document  # so it stays after an event of somebody else's
    match action, payload:
        case "Created" | "Restored", _:
            result = payload
        case "Deleted", _:
            result = None
        case "Updated", {"merge_patch": patch}:
            result = _merged(document, patch)
        case "Updated", {"json_patch": patch}:
            result = jsonpatch.apply_patch(document, patch)
    return result


def _merged(target: Any, patch: Any) -> Any:
    """JSON Merge Patch, RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), value)
    return result


class Output(NamedTuple):
    """What the tree program has written."""

    entries: dict[str, Entry]
    summary: Summary


def written(tree: Tree, seconds: float) -> Iterator[bytes]:
    """The tree as NDJSON: a line for each entity, then the summary."""
    encode = msgspec.json.Encoder().encode
    for entry in tree.entries():
        yield encode(entry) + b"\n"
    yield encode(Summary(tree.events, round(seconds, 3), tree.complaints)) + b"\n"


def read(lines: list[bytes]) -> Output:
    """What `written` wrote."""
    decoder = msgspec.json.Decoder(Entry)
    entries = [decoder.decode(line) for line in lines[:-1]]
    return Output({entry.id: entry for entry in entries}, msgspec.json.decode(lines[-1], type=Summary))
