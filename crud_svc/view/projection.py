"""What a batch of events makes of entities: their states before it, folded on. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from crud_svc.documents.exact_json import parse_stored
from crud_svc.documents.state import CREATED, RESTORED, Fold, State
from crud_svc.view.keys import searchable
from eskit import times
from eskit.events import Event


class Stream(NamedTuple):
    """An entity."""

    entity_type: str
    id: str


class Kept(msgspec.Struct, frozen=True):
    """An entity of the view. Times in microseconds since 1970."""

    entity_type: str
    id: str
    version: int
    position: int
    created_us: int
    modified_us: int
    deleted_at: int  # the version of the deletion; 0 unless deleted
    body: str  # the document; of a deleted entity the last one
    search: str | None = None  # the same as jsonb takes it; None: as it is

    def state(self) -> State:
        """As it is folded on."""
        body = self.body.encode()
        alive = not self.deleted_at
        return State(
            version=self.version,
            position=self.position,
            modified_us=self.modified_us,
            document=parse_stored(body) if alive else None,
            text=body,
            deleted_at=self.deleted_at,
        )


class _Folding:
    """An entity on its way through a batch."""

    def __init__(self, known: Kept | None) -> None:
        self.version = known.version if known else 0
        self.created_us = known.created_us if known else 0
        self.changed = False
        self.fold = Fold.owning(known.state()) if known else Fold()

    def add(self, event: Event) -> None:
        if event.originator.version <= self.version:
            return  # the log is read again
        self.version, self.changed = event.originator.version, True
        recorded_us = times.micros(event.recorded_at)
        self.fold.apply(self.version, event.position, recorded_us, event.action, bytes(event.payload))
        if not self.created_us and event.action in {CREATED, RESTORED} and self.fold.state().alive:
            self.created_us = recorded_us


def unknown(events: Iterable[Event]) -> set[Stream]:
    """The streams whose state before these events has to be looked up: those that do not begin with them."""
    found: set[Stream] = set()
    new: set[Stream] = set()
    for event in events:
        stream = Stream(event.entity_type, event.originator.id)
        if event.originator.version == 1:
            new.add(stream)
        elif stream not in new:
            found.add(stream)
    return found


def folded(events: Iterable[Event], known: Mapping[Stream, Kept]) -> list[Kept]:
    """The entities that these events have changed, as they are now. What is known already changes nothing."""
    found: dict[Stream, _Folding] = {}
    for event in events:
        stream = Stream(event.entity_type, event.originator.id)
        folding = found.get(stream)
        if folding is None:
            folding = found[stream] = _Folding(known.get(stream))
        folding.add(event)
    # A stream of events that are others' is no entity.
    return [_kept(stream, one) for stream, one in found.items() if one.changed and one.created_us]


def _kept(stream: Stream, folding: _Folding) -> Kept:
    state = folding.fold.state()
    body = state.body().decode()
    search = searchable(body)
    return Kept(
        *stream,
        version=state.version,
        position=state.position,
        created_us=folding.created_us,
        modified_us=state.modified_us,
        deleted_at=state.deleted_at,
        body=body,
        search=None if search == body else search,
    )
