"""Many writes at once, each by itself: those of one entity in their order, the others in the same group commits."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple
from uuid import UUID

from crud_svc.documents.state import State
from crud_svc.entities.course import Course, Done, Outcome, done, own
from crud_svc.entities.entities import Entities
from crud_svc.entities.target import Target
from crud_svc.entities.writes import Write
from eskit import logs
from eskit.errors import EskitError, EventIdReused, VersionConflict
from eskit.events import Stored
from eventstore_svc.store import EventStore, NewEvent

log = logs.get(__name__)

# Entities that are read at once, of all batches of a process: connections are left to those who read one.
READS = 4


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
        self._reads = asyncio.Semaphore(READS)

    async def each(self, writes: Sequence[Write]) -> list[Outcome]:
        """What became of each write: as if they were done one after the other, those of one entity at least.

        One that is refused fails alone. Raises Unavailable where nothing is stored.
        """
        known = await self.known(writes)
        outcomes: dict[int, Outcome] = {}
        chains = _chains(writes, known).values()
        await _all(self._at_once(chain.at_once, outcomes) for chain in chains if chain.at_once)
        # Then all the others: what is stored under the same id by now decides about them.
        await _all(self._one_by_one(chain.after, known, outcomes) for chain in chains if chain.after)
        return [outcomes[number] for number in range(len(writes))]

    async def known(self, writes: Sequence[Write]) -> dict[UUID, Stored]:
        """The events that are in the log already, of the writes that have ids of their callers."""
        ids = list({write.about.event_id for write in writes if write.about.id_is_given})
        return {UUID(event.event_id): event for event in await self.store.by_id(ids)} if ids else {}

    async def state(self, write: Write, *, look: bool = True) -> State:
        """The state that a write meets. Without `look` none is read for what is new: the append finds out if it is."""
        if write.fresh and not look:
            return State()
        async with self._reads:
            return await self.entities.reader.state(write.target)

    async def _at_once(self, lines: list[_Line], outcomes: dict[int, Outcome]) -> None:
        """Decide all writes of an entity, store their events with one append: it fails unless it meets that state."""
        with _caught(lines, outcomes):
            first = lines[0].write
            state = await self.state(first, look=False)
            decided = _decided(Course(self.entities, {first.target: state}), lines)
            events = [event for event in decided if isinstance(event, NewEvent)]
            try:
                await self.store.room()
                stored = await self.store.append(events) if events else None
            except (VersionConflict, EventIdReused):
                stored = None
            except EskitError as error:
                _fail(lines, decided, state, error, outcomes)
                return
            places: list[tuple[int, int]] | None = None
            if stored is not None and stored.new:
                places = [(event.version, event.position) for event in stored.events]
            elif not events and not first.fresh:
                places = []
            if places is None:
                # It is not in that state, or nobody has looked: each anew, on what it meets.
                await self._one_by_one(lines, {}, outcomes)
            else:
                _tell(lines, decided, state, places, outcomes)
                await self._first_answers(lines, outcomes)

    async def _first_answers(self, lines: Sequence[_Line], outcomes: dict[int, Outcome]) -> None:
        """A write that is refused may be one that was sent twice, and has been stored at this moment."""
        for number, write in lines:
            if isinstance(outcomes[number], EskitError) and write.about.id_is_given:
                try:
                    written = await self.entities.first_answer(write)
                except EskitError as error:
                    outcomes[number] = error
                else:
                    outcomes[number] = outcomes[number] if written is None else done(written)

    async def _one_by_one(
        self, lines: Sequence[_Line], known: Mapping[UUID, Stored], outcomes: dict[int, Outcome]
    ) -> None:
        for line in lines:
            with _caught([line], outcomes):
                write = line.write
                event = known.get(write.about.event_id) if write.about.id_is_given else None
                await self.store.room()
                written = await (self.entities.repeated(write, event) if event else self.entities.write(write))
                outcomes[line.number] = done(written)


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


def _decided(course: Course, lines: Sequence[_Line]) -> list[NewEvent | EskitError | None]:
    found: list[NewEvent | EskitError | None] = []
    for _, write in lines:
        try:
            found.append(course.decide(write))
        except EskitError as error:
            found.append(error)
    return found


def _tell(
    lines: Sequence[_Line],
    decided: Sequence[NewEvent | EskitError | None],
    state: State,
    places: Iterable[tuple[int, int]],
    outcomes: dict[int, Outcome],
) -> None:
    """What became of the writes of an entity that was in that state; `places`: versions, positions of their events."""
    version, position = state.version, state.position
    following = iter(places)
    for line, decision in zip(lines, decided, strict=True):
        if isinstance(decision, NewEvent):
            version, position = next(following)
            outcomes[line.number] = Done(version, position, decision.type.action, stored=True)
        else:
            outcomes[line.number] = decision or Done(version, position, None, stored=False)


def _fail(
    lines: Sequence[_Line],
    decided: Sequence[NewEvent | EskitError | None],
    state: State,
    error: EskitError,
    outcomes: dict[int, Outcome],
) -> None:
    """None of their events is stored, or nobody knows: what was decided behind the first of them is worth nothing."""
    first = next(n for n, decision in enumerate(decided) if isinstance(decision, NewEvent))
    _tell(lines[:first], decided[:first], state, [], outcomes)
    for number, write in lines[first:]:
        outcomes[number] = own(error, write)


@contextmanager
def _caught(lines: Sequence[_Line], outcomes: dict[int, Outcome]) -> Iterator[None]:
    """What goes wrong with these writes is their outcome, and no other's."""
    try:
        yield
    except EskitError as error:
        found = error
    except Exception:
        log.exception("write of a batch failed", lines=len(lines))
        found = EskitError("Something went wrong on our side")
    else:
        return
    for number, write in lines:
        outcomes.setdefault(number, own(found, write))


async def _all(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Side by side; one alone, as of a batch of one entity, without a task."""
    several = list(work)
    if len(several) == 1:
        await several[0]
    else:
        await asyncio.gather(*several)
