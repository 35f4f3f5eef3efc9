"""A schema against the entities there are: how many would violate it, and the first of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager

import msgspec

from crud_svc.entities.reading import Reader
from crud_svc.entities.target import Target
from crud_svc.types.validators import Validator
from eskit.errors import Overloaded
from eskit.types import Violating
from eventstore_svc.store import EventStore

MAX_SHOWN = 20
MAX_VIOLATIONS_SHOWN = 10  # of one entity
PAGE = 200  # entities between two reports
AT_ONCE = 4  # reads: most connections stay for others
MAX_RUNNING = 2


class Tally(msgspec.Struct):
    """How far it has come: entities that were looked at, those of them that violate the schema, the first of these."""

    checked: int = 0
    violating: int = 0
    first: list[Violating] = []


class DryRuns:
    """Runs over all entities of a type, a few at a time."""

    def __init__(self, store: EventStore, reader: Reader) -> None:
        self._store = store
        self._reader = reader
        self._running = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """Room for a run; raises Overloaded."""
        if self._running >= MAX_RUNNING:
            raise Overloaded(f"{MAX_RUNNING} dry runs are under way in this process; wait for one to end")
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1

    async def run(self, entity_type: str, validator: Validator) -> AsyncIterator[Tally]:
        """The tally after each page of entities, the same one further on; at least one. Deleted entities do not count.

        Each entity is taken as it is when its turn comes. Raises InvalidRequest where an entity takes too long.
        """
        tally, after = Tally(first=[]), ""
        while True:
            streams = await self._store.streams_after((entity_type, after), entity_type, PAGE)
            ids = [stream.originator_id for stream in streams]
            for start in range(0, len(ids), AT_ONCE):
                await self._add(tally, entity_type, ids[start : start + AT_ONCE], validator)
            yield tally
            if len(ids) < PAGE:
                return
            after = ids[-1]

    async def _add(self, tally: Tally, entity_type: str, ids: Sequence[str], validator: Validator) -> None:
        states = await asyncio.gather(*(self._reader.state(Target(entity_type, ident)) for ident in ids))
        for ident, state in zip(ids, states, strict=True):
            if state.document is None:
                continue
            tally.checked += 1
            found = await validator.violations(state.document)
            if found:
                tally.violating += 1
                if len(tally.first) < MAX_SHOWN:
                    shown = found.listed[:MAX_VIOLATIONS_SHOWN]
                    more = len(found.listed) - len(shown) + found.more
                    tally.first.append(Violating(ident, state.version, shown, more))
