"""The state of an entity: the fold of the events of its stream."""

from __future__ import annotations

from typing import Any

import msgspec

from crud_svc.documents import patches
from crud_svc.documents.difference import Document, merge_into, merged
from crud_svc.documents.exact_json import MAX_DEPTH, REFUSED, depth, encode, parse_stored
from eskit.errors import Deleted, NotFound
from eskit.events import Stored

CREATED, UPDATED, DELETED, RESTORED = "Created", "Updated", "Deleted", "Restored"

# Of which this service makes the JSON Patches that it stores. A copy could double the document each time.
STORED_OPERATIONS = frozenset({"add", "remove", "replace"})
# {"json_patch": [{"value": …}]}: the levels of an Updated payload around values of the document.
AROUND_VALUES = 3


class State(msgspec.Struct, frozen=True):
    """An entity after some version. It is absent, alive (has a document), or deleted."""

    version: int = 0  # of the stream: every event counts, whoever wrote it; 0 when there is none
    position: int = 0  # of the last event in the log
    modified_us: int = 0  # recorded time of the last event
    document: Document | None = None
    text: bytes | None = None  # the document as it was sent, where that is known; of a deleted entity its last one
    deleted_at: int = 0  # the version of the deletion; 0 unless deleted

    @property
    def alive(self) -> bool:
        """Whether there is a document."""
        return self.document is not None

    def body(self) -> bytes:
        """The document as JSON: the bytes that were sent, unless it was changed since. Of a deleted entity the last."""
        return encode(self.document) if self.text is None else self.text

    def require(self, what: str) -> Document:
        """The document; raises NotFound, or Deleted that tells how to restore it."""
        if self.document is not None:
            return self.document
        if self.deleted_at:
            message = f'{what} was deleted; POST …/restore with If-Match: "{self.version}" brings it back'
            raise Deleted(message, version=self.deleted_at)
        raise NotFound(f"There is no {what}")


class Fold:
    """Folds the events of one stream, in order.

    An event that this service would not write (another action, or a payload of another form) counts as a version and
    changes nothing: others may put events of their own into the stream.
    """

    __slots__ = ("_deleted_at", "_document", "_modified_us", "_owned", "_position", "_text", "_version")

    def __init__(self, state: State | None = None) -> None:
        """Go on from a state, which stays as it is."""
        state = state or State()
        self._version, self._position, self._modified_us = state.version, state.position, state.modified_us
        self._document, self._text, self._deleted_at = state.document, state.text, state.deleted_at
        self._owned = False  # whether nobody else sees the document, so that it may be changed in place

    @classmethod
    def owning(cls, state: State) -> Fold:
        """The same for a state that nobody else has: its document may be changed in place."""
        folded = cls(state)
        folded._owned = True
        return folded

    def add(self, event: Stored) -> None:
        """One event more."""
        self.apply(event.version, event.position, event.recorded_at_us, event.action, event.payload.encode())

    def apply(self, version: int, position: int, recorded_us: int, action: str | None, payload: bytes) -> None:
        """The same, by what counts of it."""
        self._version, self._position, self._modified_us = version, position, recorded_us
        try:
            if action == UPDATED:
                self._update(payload)
            elif action in {CREATED, RESTORED}:
                self._replace(payload)
            elif action == DELETED and self._document is not None:
                self._text = encode(self._document) if self._text is None else self._text
                self._document, self._deleted_at = None, version
        except REFUSED:
            return

    def state(self) -> State:
        """The state after the events so far."""
        self._owned = False
        return State(self._version, self._position, self._modified_us, self._document, self._text, self._deleted_at)

    def _replace(self, text: bytes) -> None:
        document = parse_stored(text)
        if isinstance(document, dict):
            self._document, self._text, self._deleted_at, self._owned = document, text, 0, True

    def _update(self, payload: bytes) -> None:
        if self._document is None:
            return
        said = parse_stored(payload, MAX_DEPTH + AROUND_VALUES)
        patch = _merge_patch(said)
        if patch is not None and self._owned:
            merge_into(self._document, patch)
            self._text = None
        elif (document := _changed(self._document, said, patch, len(payload))) is not None:
            self._document, self._text = document, None


def fold(state: State, event: Stored) -> State:
    """The state after one more event."""
    folded = Fold(state)
    folded.add(event)
    return folded.state()


def _merge_patch(said: Any) -> Document | None:
    """The merge patch of an Updated event, if it has one that may be applied."""
    # The result is as deep as the deeper of the two, and one too deep could not be changed or sent back any more.
    match said:
        case {"merge_patch": dict(patch)} if len(said) == 1 and depth(patch) <= MAX_DEPTH:
            return patch
    return None


def updated(document: Document, payload: bytes) -> Document | None:
    """The document after an Updated event with this payload; None when it makes none; raises one of REFUSED."""
    said = parse_stored(payload, MAX_DEPTH + AROUND_VALUES)
    return _changed(document, said, _merge_patch(said), len(payload))


def _changed(document: Document, said: Any, patch: Document | None, size: int) -> Document | None:
    """By what an event says, which is its merge patch if it has one; `size` of that in bytes."""
    if patch is not None:
        return merged(document, patch)  # type: ignore[no-any-return]  # two objects make one
    match said:
        case {"json_patch": operations} if len(said) == 1:
            if any(operation["op"] not in STORED_OPERATIONS for operation in patches.checked(operations)):
                return None
            result = patches.apply(document, operations, size)
            return result if isinstance(result, dict) else None
    return None
