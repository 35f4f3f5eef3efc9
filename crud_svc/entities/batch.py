"""Many writes at once, each by itself: those of one entity in their order, the others in the same group commits."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple
from uuid import UUID

from crud_svc.documents.state import State
from crud_svc.entities.course import Course, Decided, Done, Outcome, decide_first, done, own
from crud_svc.entities.entities import Entities, Written
from crud_svc.entities.target import Target
from crud_svc.entities.writes import Write
from eskit import logs
from eskit.errors import EskitError, EventIdReused, Unavailable, VersionConflict
from eskit.events import Stored
from eventstore_svc.store import EventStore, NewEvent

log = logs.get(__name__)

# Entities that are read at once, of all batches of a process: connections are left to those who read one.
READS = 4
# How often the writes of an entity are tried as one append while others change it meanwhile.
TRIES_TOGETHER = 3


class _Line(NamedTuple):
    """A write, and its place among the others."""

    number: int
    write: Write


class _Chain:
    """The writes of one entity: those that go into one append, and those that are done one by one behind it."""

    def __init__(self) -> None:
        self.at_once: list[_Line] = []
        self.after: list[_Line] = []


class Batch:
    """Does many writes at once."""

    def __init__(self, entities: Entities, store: EventStore) -> None:
        self.entities = entities
        self.store = store
        self.reads = asyncio.Semaphore(READS)

    async def each(self, writes: Sequence[Write]) -> list[Outcome]:
        """What became of each write: as if they were done one after the other, those of one entity at least.

        One that is refused fails alone. Raises Unavailable where nothing is stored.
        """
        known = await self.known(writes)
        chains = _chains(writes, known).values()
        run = _Run(self, known, await self._states([chain.at_once[0].write for chain in chains if chain.at_once]))
        await _all(run.at_once(chain.at_once) for chain in chains if chain.at_once)
        # Then all the others: what is stored under the same id by now decides about them.
        await _all(run.one_by_one(chain.after) for chain in chains if chain.after)
        return [run.outcomes[number] for number in range(len(writes))]

    async def _states(self, writes: Sequence[Write]) -> dict[Target, State]:
        targets = [write.target for write in writes if not write.fresh]
        if len(targets) < 2:
            return {}
        async with self.reads:
            return await self.entities.reader.states(targets)

    async def known(self, writes: Iterable[Write]) -> dict[UUID, Stored]:
        """The events that are in the log already, of the writes that have ids of their callers."""
        ids = list({write.about.event_id for write in writes if write.about.id_is_given})
        return {UUID(event.event_id): event for event in await self.store.by_id(ids)} if ids else {}

    async def state(self, write: Write, *, look: bool = True) -> State:
        """The state that a write meets. Without `look` none is read for what is new: the append finds out if it is."""
        if write.fresh and not look:
            return State()
        async with self.reads:
            return await self.entities.reader.state(write.target)

    async def repeated_or_done(self, write: Write, event: Stored | None) -> Written:
        """The first answer where the log has its event; else it is done."""
        if event is None:
            return await self.entities.write(write)
        async with self.reads:
            return await self.entities.repeated(write, event)


class _Run:
    """The writes of one call on their way."""

    def __init__(self, batch: Batch, known: Mapping[UUID, Stored], states: dict[Target, State]) -> None:
        """`states`: of some entities, as they were a moment ago."""
        self.outcomes: dict[int, Outcome] = {}
        self._batch = batch
        self._known = known
        self._states = states
        # Why the database does not answer: who has not asked yet need not wait for the same.
        self._away: Unavailable | None = None

    async def at_once(self, lines: Sequence[_Line]) -> None:
        """Do all writes of an entity with one append; one by one where that fails."""
        with self._caught(lines):
            dealt_with = failed = 0
            while dealt_with < len(lines) and failed < TRIES_TOGETHER:
                several = await self._together(lines[dealt_with:], look=bool(dealt_with or failed))
                dealt_with += several
                failed = 0 if several else failed + 1
            await self._first_answers(lines[:dealt_with])
            # Others write it again and again, or some is stored already: each anew, on what it meets.
            await self.one_by_one(lines[dealt_with:])

    async def one_by_one(self, lines: Sequence[_Line]) -> None:
        """Each write by itself, as it would be done alone."""
        for line in lines:
            with self._caught([line]):
                write = line.write
                event = self._known.get(write.about.event_id) if write.about.id_is_given else None
                self._require_database()
                await self._batch.store.room()
                written = await self._batch.repeated_or_done(write, event)
                self.outcomes[line.number] = done(written)

    async def _together(self, lines: Sequence[_Line], *, look: bool) -> int:
        """Decide writes on one state and store their events; how many of them, 0 where that is not the state."""
        first, store = lines[0].write, self._batch.store
        state = await self._state(first, look=look)
        decided = await decide_first(
            Course(self._batch.entities, {first.target: state}), [line.write for line in lines]
        )
        events = [event for event in decided if isinstance(event, NewEvent)]
        if not events and first.fresh and not look:
            return 0  # no append has told whether it is new
        try:
            await store.room()
            stored = await store.append(events) if events else None
        except (VersionConflict, EventIdReused):
            return 0
        except EskitError as error:
            # What was decided behind the first of its events is worth nothing.
            begin = next(n for n, decision in enumerate(decided) if isinstance(decision, NewEvent))
            self._tell(lines[:begin], decided, state, [])
            for number, write in lines[begin:]:
                self.outcomes[number] = own(error, write)
            return len(lines)
        if stored is not None and not stored.new:
            return 0
        self._tell(lines, decided, state, [] if stored is None else [(e.version, e.position) for e in stored.events])
        return len(decided)

    def _tell(
        self, lines: Sequence[_Line], decided: Sequence[Decided], state: State, places: Iterable[tuple[int, int]]
    ) -> None:
        """What became of writes that met a state; `places`: versions and positions of their events."""
        version, position = state.version, state.position
        following = iter(places)
        for line, decision in zip(lines, decided, strict=False):
            if isinstance(decision, NewEvent):
                version, position = next(following)
                self.outcomes[line.number] = Done(version, position, decision.type.action, stored=True)
            else:
                self.outcomes[line.number] = decision or Done(version, position, None, stored=False)

    async def _first_answers(self, lines: Sequence[_Line]) -> None:
        """A write that is refused may be one that was sent twice, and has been stored at this moment."""
        refused = [line for line in lines if line.write.about.id_is_given and self._is_refused(line)]
        outcomes = {line.number: self.outcomes.pop(line.number) for line in refused}
        with self._caught(refused):
            known = await self._batch.known(line.write for line in refused)
            for line in refused:
                event = known.get(line.write.about.event_id)
                if event is None:
                    self.outcomes[line.number] = outcomes[line.number]
                    continue
                with self._caught([line]):
                    self.outcomes[line.number] = done(await self._batch.entities.repeated(line.write, event))

    def _is_refused(self, line: _Line) -> bool:
        outcome = self.outcomes[line.number]
        return isinstance(outcome, EskitError) and not isinstance(outcome, Unavailable)

    async def _state(self, write: Write, *, look: bool) -> State:
        if write.fresh and not look:
            return State()
        state = self._states.pop(write.target, None)
        if state is not None:
            return state
        async with self._batch.reads:
            self._require_database()  # others have waited in vain, while this one waited for its turn
            return await self._batch.entities.reader.state(write.target)

    def _require_database(self) -> None:
        if self._away is not None:
            raise self._away

    @contextmanager
    def _caught(self, lines: Sequence[_Line]) -> Iterator[None]:
        """What goes wrong with these writes is their outcome, and no other's."""
        try:
            yield
        except Unavailable as error:
            self._away = error
            found: EskitError = error
        except EskitError as error:
            found = error
        except Exception:
            log.exception("write of a batch failed", lines=len(lines))
            found = EskitError("Something went wrong on our side")
        else:
            return
        for number, write in lines:
            self.outcomes.setdefault(number, own(found, write))


def _chains(writes: Sequence[Write], known: Mapping[UUID, Stored]) -> dict[Target, _Chain]:
    """The writes of each entity. One whose id is in the log, or that of an earlier one, is looked up, not decided."""
    chains: dict[Target, _Chain] = {}
    seen = set(known)
    for number, write in enumerate(writes):
        chain = chains.setdefault(write.target, _Chain())
        behind = bool(chain.after)
        if write.about.id_is_given:
            behind = behind or write.about.event_id in seen
            seen.add(write.about.event_id)
        (chain.after if behind else chain.at_once).append(_Line(number, write))
    return chains


async def _all(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Side by side; one alone, as of a batch of one entity, without a task."""
    several = list(work)
    if len(several) == 1:
        await several[0]
    else:
        await asyncio.gather(*several)
