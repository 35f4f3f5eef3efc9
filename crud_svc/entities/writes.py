"""What a write makes of an entity: pure functions from the state before it to the event to store."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from crud_svc.documents import patches
from crud_svc.documents.difference import Document, difference, merged, replacement
from crud_svc.documents.exact_json import REFUSED, encode, identical, parse
from crud_svc.documents.state import CREATED, DELETED, RESTORED, UPDATED, State, updated
from crud_svc.entities import preconditions
from crud_svc.entities.target import About, Target, too_large
from eskit.errors import AlreadyExists, EskitError, InvalidRequest, PatchFailed
from eskit.web.etags import Tags


class Sized(NamedTuple):
    """A document, and its size as JSON in bytes."""

    document: Document
    size: int


class Decision(NamedTuple):
    """The event that says the change, and the document it leads to; None: there is none."""

    action: str
    payload: bytes
    after: Sized | None = None


class Write(NamedTuple):
    """A write, ready to be tried on whatever state the entity is in. Both functions may be called several times."""

    target: Target
    about: About
    check: Callable[[State], None]  # raises NotFound, Deleted, PreconditionFailed
    decide: Callable[[State], Decision | None]  # None: nothing would change
    fresh: bool = False  # there is most likely no stream yet
    held_bytes: int = 0  # of documents that it brings beside what was sent


class Given(NamedTuple):
    """A document as it was sent, and what it says."""

    text: bytes
    document: Document


def create(target: Target, about: About, given: Given, *, check: Callable[[State], None]) -> Write:
    """A new entity, or a deleted one anew where `check` lets it."""

    def decide(state: State) -> Decision:
        if state.alive:
            raise AlreadyExists(f"{target} exists already", version=state.version)
        return Decision(CREATED, given.text, Sized(given.document, len(given.text)))

    return Write(target, about, check, decide, fresh=True)


def replace(target: Target, about: About, wanted: Tags, given: Given) -> Write:
    """Another document in place of the present one."""
    return _update(target, about, wanted, lambda _: Sized(given.document, len(given.text)))


def merge(target: Target, about: About, wanted: Tags, patch: Document, limit_bytes: int) -> Write:
    """The present document with a JSON Merge Patch."""
    return _update(target, about, wanted, lambda document: _bounded(merged(document, patch), limit_bytes))


def patch(target: Target, about: About, wanted: Tags, operations: list[dict[str, Any]], limit_bytes: int) -> Write:
    """The present document with a JSON Patch."""

    def change(document: Document) -> Sized:
        result = patches.apply(document, operations, 4 * limit_bytes)
        if not isinstance(result, dict):
            raise PatchFailed("The document would not be a JSON object any more", field="patch")
        return _bounded(result, limit_bytes)

    return _update(target, about, wanted, change)


def delete(target: Target, about: About, wanted: Tags) -> Write:
    """The end of an entity; its history stays."""

    def decide(state: State) -> Decision:
        state.require(str(target))
        return Decision(DELETED, b"{}")

    return Write(target, about, partial(_check, target, wanted), decide)


def restore(target: Target, about: About, wanted: Tags, text: bytes | None) -> Write:
    """Back to the document of an earlier version, `text`; None: a deleted entity as it was before its deletion."""

    def check(state: State) -> None:
        if not state.deleted_at:
            state.require(str(target))
        preconditions.require(wanted, state)

    def decide(state: State) -> Decision | None:
        if text is None and not state.deleted_at:
            message = f"{target} is not deleted; say with version=N to which version it is to go back"
            raise InvalidRequest(message, field="version")
        wanted_text = state.body() if text is None else text
        if state.document is not None and identical(state.document, parse(wanted_text)):
            return None
        return Decision(RESTORED, wanted_text)

    return Write(target, about, check, decide, held_bytes=len(text or b""))


def _update(target: Target, about: About, wanted: Tags, change: Callable[[Document], Sized]) -> Write:
    def decide(state: State) -> Decision | None:
        document = state.require(str(target))
        after = change(document)
        payload = difference(document, after.document)
        if payload is None:
            return None
        # What is answered must be what replay makes of the event, in its order of members: an event that replay refuses
        # would be a lost write.
        for said in (payload, replacement(after.document)):
            replayed = _replayed(document, said)
            if replayed is not None and identical(replayed, after.document):
                return Decision(UPDATED, said, Sized(replayed, after.size))
        raise EskitError("The change cannot be stored in a form that can be read again; nothing is changed")

    return Write(target, about, partial(_check, target, wanted), decide)


def _replayed(document: Document, payload: bytes) -> Document | None:
    try:
        return updated(document, payload)
    except REFUSED:
        return None


def _bounded(document: Document, limit_bytes: int) -> Sized:
    # Many small patches must not add up to a document that no request could send and no event could restore.
    if (size := len(encode(document))) > limit_bytes:
        raise too_large("The document would have", size, limit_bytes)
    return Sized(document, size)


def _check(target: Target, wanted: Tags, state: State) -> None:
    # First whether there is anything: "not found" and "deleted" tell more than "the version does not fit".
    state.require(str(target))
    preconditions.require(wanted, state)
