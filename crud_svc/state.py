"""The state of an entity: the fold of the events of its stream."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.structs import replace

from crud_svc import patches
from crud_svc.documents import Document, merged
from crud_svc.exact_json import MAX_DEPTH, depth, encode, parse_object
from eskit.errors import Deleted, EskitError, NotFound
from eskit.events import Stored

CREATED, UPDATED, DELETED, RESTORED = "Created", "Updated", "Deleted", "Restored"

# What operations of a stored JSON Patch may copy, beyond what the event itself brings. Ours copy nothing.
MAX_COPIED_BYTES = 16 * 1024 * 1024
# {"json_patch": [{"value": …}]}: the levels of an Updated payload around values of the document.
AROUND_VALUES = 3


class State(msgspec.Struct, frozen=True):
    """An entity after some version. It is absent, alive (has a document), or deleted."""

    version: int = 0  # of the stream: every event counts, whoever wrote it; 0 when there is none
    position: int = 0  # of the last event in the log
    modified_us: int = 0  # recorded time of the last event
    document: Document | None = None
    text: bytes | None = None  # the document as it was sent, where that is known
    deleted_at: int = 0  # the version of the deletion; 0 unless deleted

    @property
    def alive(self) -> bool:
        """Whether there is a document."""
        return self.document is not None

    def body(self) -> bytes:
        """The document as JSON: the bytes that were sent, unless it was changed since."""
        return encode(self.document) if self.text is None else self.text

    def require(self, what: str) -> Document:
        """The document; raises NotFound or Deleted."""
        if self.document is not None:
            return self.document
        if self.deleted_at:
            raise Deleted(f"{what} was deleted", version=self.deleted_at)
        raise NotFound(f"There is no {what}")


def fold(state: State, event: Stored) -> State:
    """The state after one more event.

    An event that this service would not write (another action, or a payload of another form) counts as a version and
    changes nothing: others may put events of their own into the stream.
    """
    after = replace(state, version=event.version, position=event.position, modified_us=event.recorded_at_us)
    change = _CHANGES.get(event.action)
    if change is None:
        return after
    try:
        return change(after, event)
    except (EskitError, RecursionError):
        return after


def _whole(state: State, event: Stored) -> State:
    text = event.payload.encode()
    return replace(state, document=parse_object(text), text=text, deleted_at=0)


def _deleted(state: State, event: Stored) -> State:
    return replace(state, document=None, text=None, deleted_at=event.version) if state.alive else state


def _updated(state: State, event: Stored) -> State:
    if state.document is None:
        return state
    document = updated(state.document, event.payload.encode())
    return state if document is None else replace(state, document=document, text=None)


def updated(document: Document, payload: bytes) -> Document | None:
    """The document after an Updated event with this payload; None when it makes none; raises EskitError."""
    said = parse_object(payload, levels=MAX_DEPTH + AROUND_VALUES)
    result: Any = None
    match said:
        # The result is as deep as the deeper of the two, and one too deep could not be changed or sent back any more.
        case {"merge_patch": patch} if len(said) == 1 and depth(patch) <= MAX_DEPTH:
            result = merged(document, patch)
        case {"json_patch": patch} if len(said) == 1:
            result = patches.apply(document, patches.checked(patch), len(payload) + MAX_COPIED_BYTES)
    return result if isinstance(result, dict) else None


_CHANGES: dict[str, Callable[[State, Stored], State]] = {
    CREATED: _whole,
    RESTORED: _whole,
    UPDATED: _updated,
    DELETED: _deleted,
}
