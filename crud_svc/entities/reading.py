"""Reading entities, as they are or were: the newest snapshot that helps, and the events after it, in one query."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import NamedTuple
from weakref import WeakValueDictionary

from crud_svc.documents.state import Fold, State
from crud_svc.entities.folded import Folded, micros, snapshot
from crud_svc.entities.reading_many import MANY, fold_many
from crud_svc.entities.target import Target
from crud_svc.snapshots.snapshotter import FORMAT, Offer
from eskit import logs
from eskit.errors import NotFound, SchemaMismatch
from eskit.events import Stored
from eventstore_svc.store import LAST_VERSION, EventStore, Fetcher, Rows

log = logs.get(__name__)

# Of one query; a longer stream without a snapshot takes several.
PAGE_EVENTS = 1000
PAGE_BYTES = 8 * 1024 * 1024
# After so much the others on the event loop have their turn.
TURN_BYTES = 256 * 1024


class Place(NamedTuple):
    """The last version up to `version`, of those recorded up to `at`, of those that the log had at `position`."""

    version: int = LAST_VERSION
    at: datetime | None = None
    position: int | None = None


NOW = Place()


class Reader:
    """Reads entities. Raises Unavailable."""

    def __init__(self, fetcher: Fetcher, store: EventStore, offer: Offer) -> None:
        """`fetcher`: of statements of this package; `offer` is given every state that was read, for a snapshot."""
        self._fetcher = fetcher
        self._store = store
        self._offer = offer
        self._long: WeakValueDictionary[Target, _Long] = WeakValueDictionary()

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
        self._offer(target, *folded, latest=version == LAST_VERSION)
        return folded.state

    async def states(self, targets: Sequence[Target]) -> dict[Target, State]:
        """The present states of different entities with few queries; of those that are long none is told."""
        found: dict[Target, State] = {}
        for start in range(0, len(targets), MANY):
            try:
                several = await fold_many(self._fetcher, targets[start : start + MANY])
            except SchemaMismatch:
                break  # `state` can do without snapshots
            for target, folded in several.items():
                self._offer(target, *folded, latest=True)
                found[target] = folded.state
        return found

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
        progress = _Progress()
        try:
            await progress.add(await self._page(target, 0, version))
        except SchemaMismatch as error:
            # Snapshots are a cache: without their table reads are slow, and right.
            log.warning("snapshots cannot be read, all events are", error=error.detail)
            return Folded(await self.refolded(target, version), 0, 0)
        if progress.more:
            await self._fold_long(progress, target, version)
        return Folded(progress.fold.state(), progress.events, progress.bytes)

    async def _fold_long(self, progress: _Progress, target: Target, version: int) -> None:
        """Many may ask for the same long history at once, as where snapshots were dropped: they take turns, and go on
        from where the one before came to."""
        long = self._long.setdefault(target, _Long())
        async with long.turn:
            if progress.version < long.reached.version <= version:
                progress.go_on(long.reached)
            while progress.more:
                await progress.add(await self._page(target, progress.version + 1, version))
            long.reached = progress.fold.state()

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


class _Long:
    """A long history that somebody folds; gone with the last who does."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.reached = State()


class _Progress:
    """How far a fold has come, page by page."""

    def __init__(self) -> None:
        self.fold = Fold()
        self.version = self.events = self.bytes = 0
        self.more = True

    def go_on(self, state: State) -> None:
        """From what somebody else has folded, who has offered it as a snapshot already."""
        self.fold, self.version, self.events, self.bytes = Fold(state), state.version, 0, 0

    async def add(self, rows: Rows) -> None:
        """One page; a snapshot, which has no action, can only be its first row."""
        start = 1 if len(rows) and rows.text(0, 3) is None else 0
        if start:
            self.fold = Fold.owning(snapshot(rows))
        size = in_turn = 0
        for row in range(start, len(rows)):
            payload = rows.bytes(row, 4)
            size += len(payload)
            in_turn += len(payload)
            if in_turn > TURN_BYTES:
                in_turn = 0
                await asyncio.sleep(0)
            self.fold.apply(rows.number(row, 0), rows.number(row, 1), micros(rows, row), rows.text(row, 3), payload)
        if len(rows):
            self.version = rows.number(len(rows) - 1, 0)
        self.events += len(rows) - start
        self.bytes += size
        self.more = len(rows) - start == PAGE_EVENTS or size >= PAGE_BYTES
