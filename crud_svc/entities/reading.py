"""Reading entities, as they are or were: the newest snapshot that helps, and the events after it, in one query."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import NamedTuple

from crud_svc.documents.exact_json import parse_stored
from crud_svc.documents.state import Fold, State
from crud_svc.entities.target import Target
from crud_svc.snapshots.snapshotter import FORMAT, Snapshotter
from eskit.errors import NotFound
from eskit.events import Stored
from eventstore_svc.store import LAST_VERSION, EventStore, Fetcher, Rows
from eventstore_svc.store.arrays import MICROS_2000

# Of one query; a longer stream without a snapshot takes several.
PAGE_EVENTS = 1000
PAGE_BYTES = 8 * 1024 * 1024


class Place(NamedTuple):
    """The last version up to `version`, of those recorded up to `at`, of those that the log had at `position`."""

    version: int = LAST_VERSION
    at: datetime | None = None
    position: int | None = None


NOW = Place()


class Folded(NamedTuple):
    """A state, and what it took to make it: events, and bytes of their payloads."""

    state: State
    events: int
    bytes: int


class Reader:
    """Reads entities. Raises Unavailable."""

    def __init__(self, fetcher: Fetcher, store: EventStore, snapshotter: Snapshotter) -> None:
        """`fetcher`: of statements of this package; snapshots are written by the way, where they would have helped."""
        self._fetcher = fetcher
        self._store = store
        self._snapshotter = snapshotter

    async def state(self, target: Target, place: Place = NOW) -> State:
        """The state at a place; with version 0 where there was no event yet."""
        version = place.version
        if place.at is not None or place.position is not None:
            try:
                seen = await self._store.pages.version_at(target, position=place.position, at=place.at)
            except NotFound:
                return State()
            version = min(version, seen)
        folded = await self._fold(target, version)
        self._snapshotter.offer(target, *folded, latest=version == LAST_VERSION)
        return folded.state

    async def refolded(self, target: Target, version: int = LAST_VERSION) -> State:
        """The state by all events from the first on: no snapshot has a say in it."""
        fold = Fold()
        async for event in self.events(target, last=version):
            fold.add(event)
        return fold.state()

    async def events(self, target: Target, first: int = 1, last: int = LAST_VERSION) -> AsyncGenerator[Stored, None]:
        """The events of the stream, in order, read in pages; none for a stream that does not exist."""
        more = True
        while more:
            try:
                events, more = await self._store.stream(*target, from_version=first, to_version=last, limit=PAGE_EVENTS)
            except NotFound:
                return
            for event in events:
                yield event
                first = event.version + 1

    async def _fold(self, target: Target, version: int) -> Folded:
        fold, events, size = Fold(), 0, 0
        first, more = 0, True
        while more:
            rows = await self._page(target, first, version)
            # A snapshot has no action. It is looked for by the first query only: those after it begin behind it.
            start = 1 if len(rows) and rows.text(0, 3) is None else 0
            if start:
                fold = Fold.owning(_snapshot(rows))
            page = 0
            for row in range(start, len(rows)):
                payload = rows.bytes(row, 4)
                page += len(payload)
                fold.apply(rows.number(row, 0), rows.number(row, 1), _micros(rows, row), rows.text(row, 3), payload)
            events, size = events + len(rows) - start, size + page
            more = len(rows) - start == PAGE_EVENTS or page >= PAGE_BYTES
            first = rows.number(len(rows) - 1, 0) + 1 if more else first
        return Folded(fold.state(), events, size)

    async def _page(self, target: Target, first: int, last: int) -> Rows:
        return await self._fetcher.fetch(
            "read_entity",
            {
                "entity_type": target.entity_type,
                "originator_id": target.id,
                "from_version": first,
                "to_version": last,
                # Later pages have begun behind the newest snapshot.
                "format": FORMAT if not first else 0,
                "limit": PAGE_EVENTS,
                "most_bytes": PAGE_BYTES,
            },
        )


def _micros(rows: Rows, row: int) -> int:
    return rows.number(row, 2) + MICROS_2000


def _snapshot(rows: Rows) -> State:
    deleted_at, body = rows.number(0, 5), rows.bytes(0, 4) or None
    document = parse_stored(body) if body is not None and not deleted_at else None
    return State(rows.number(0, 0), rows.number(0, 1), _micros(rows, 0), document, body, deleted_at)
