"""Lists as the log was at a position: from the events themselves, within bounds."""

from __future__ import annotations

import functools
import heapq
from collections.abc import AsyncIterator
from typing import Any

from crud_svc.documents.exact_json import parse_stored
from crud_svc.documents.state import CREATED, RESTORED, Fold
from crud_svc.view.cursors import Place
from crud_svc.view.filters import meets
from crud_svc.view.keys import searchable
from crud_svc.view.listing import MOST_BYTES, Entity, Listing, Page
from eskit.errors import InvalidRequest
from eskit.events import Stored
from eventstore_svc.store import LAST_VERSION, EventStore

MAX_EVENTS = 100_000
"""Events that one page may read."""
PAGE_EVENTS = 1000
# Documents that are held to be sorted.
MOST_SORTED_BYTES = 8 * MOST_BYTES


async def past(store: EventStore, listing: Listing, place: Place | None, limit: int, *, with_body: bool) -> Page:
    """A page of a list as of `listing.position`. Raises InvalidRequest where too many events would have to be read.

    In the order of ids a page ends early instead, with where to go on.
    """
    if listing.sort:
        return await _sorted(store, listing, place, limit, with_body=with_body)
    found: list[Entity] = []
    size = 0
    reading = _Reading(store, listing)
    async for entity, document in reading.entities("" if place is None else place.id):
        if not meets(document, listing.conditions):
            continue
        if len(found) == limit or size >= MOST_BYTES:
            return Page(found, found[-1].place)
        found.append(entity if with_body else entity._replace(body=None))
        size += len(found[-1].body or "")
    return Page(found, None if reading.done else Place((), reading.last_id))


async def _sorted(store: EventStore, listing: Listing, place: Place | None, limit: int, *, with_body: bool) -> Page:
    order = functools.partial(_standing, listing)
    reading = _Reading(store, listing)
    kept: list[Entity] = []
    size = 0
    async for entity, document in reading.entities(""):
        here = entity._replace(keys=listing.keys(document))
        if meets(document, listing.conditions) and (place is None or order(here.place) > order(place)):
            kept.append(here if with_body else here._replace(body=None))
            size += len(kept[-1].body or "")
        if len(kept) > 4 * limit or size > MOST_SORTED_BYTES:
            kept = heapq.nsmallest(limit + 1, kept, key=lambda one: order(one.place))
            size = sum(len(one.body or "") for one in kept)
            if size > MOST_SORTED_BYTES:
                raise InvalidRequest("The documents are large: ask for fewer at once", field="limit")
    if not reading.done:
        message = (
            f"{listing.entity_type} has more than {MAX_EVENTS} events: a list as of a position cannot be sorted then; "
            "leave `sort` out, and it comes in the order of ids, page by page"
        )
        raise InvalidRequest(message, field="sort")
    kept = heapq.nsmallest(limit + 1, kept, key=lambda one: order(one.place))
    more = len(kept) > limit
    return Page(kept[:limit], kept[limit - 1].place if more else None)


class _Reading:
    """The entities of a type in the order of their ids, folded from their events."""

    def __init__(self, store: EventStore, listing: Listing) -> None:
        self._store = store
        self._listing = listing
        self._events = 0
        self.done = False  # all of them have been read
        self.last_id = ""  # up to here

    async def entities(self, after_id: str) -> AsyncIterator[tuple[Entity, Any]]:
        """Each with what is searched in it. Ends when as many events have been read as may be."""
        stream = _Stream("")
        async for event in self._stored(after_id):
            if event.originator_id != stream.id:
                if (found := self._entity(stream)) is not None:
                    yield found
                self.last_id = stream.id or after_id
                stream = _Stream(event.originator_id)
                if self._events >= MAX_EVENTS:
                    return
            stream.take(event, self._listing.position or 0)
        if (found := self._entity(stream)) is not None:
            yield found
        self.done = True

    async def _stored(self, after_id: str) -> AsyncIterator[Stored]:
        place, more = (after_id, LAST_VERSION), True
        while more:
            events, more = await self._store.of_type(self._listing.entity_type, place, PAGE_EVENTS)
            for event in events:
                self._events += 1
                yield event
            if self._events > 2 * MAX_EVENTS:
                stream = f"{self._listing.entity_type} {events[-1].originator_id!r}"
                message = f"{stream} has more than {MAX_EVENTS} events: lists as of a position do not go so far"
                raise InvalidRequest(message, field="position")
            if events:
                place = events[-1].originator_id, events[-1].version

    def _entity(self, stream: _Stream) -> tuple[Entity, Any] | None:
        state = stream.fold.state()
        if not state.alive and not (state.deleted_at and self._listing.deleted):
            return None
        body = state.body().decode()
        times = stream.created_us, state.modified_us
        entity = Entity(stream.id, state.version, state.position, *times, state.deleted_at, body, ())
        if not self._listing.conditions and not self._listing.sort:
            return entity, None
        return entity, parse_stored(searchable(body).encode())


class _Stream:
    """One stream on its way through the fold."""

    def __init__(self, ident: str) -> None:
        self.id = ident
        self.fold = Fold()
        self.created_us = 0

    def take(self, event: Stored, position: int) -> None:
        """One more event, if the log had it then."""
        if event.position > position:
            return
        self.fold.add(event)
        if not self.created_us and event.action in {CREATED, RESTORED} and self.fold.state().alive:
            self.created_us = event.recorded_at_us


@functools.total_ordering
class _Downwards:
    """A text in the order from the greatest to the least."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Downwards) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __lt__(self, other: _Downwards) -> bool:
        return self.text > other.text


def _standing(listing: Listing, place: Place) -> list[Any]:
    texts = [*place.keys, place.id]
    return [_Downwards(text) if down else text for text, down in zip(texts, listing.descending, strict=True)]
