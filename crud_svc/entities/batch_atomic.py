"""Many writes as one: all of their events in one append, or none."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from crud_svc.documents.state import State
from crud_svc.entities.batch import Batch
from crud_svc.entities.course import MOST_BYTES, Course, Done, done
from crud_svc.entities.entities import PAUSE_S, TRIES
from crud_svc.entities.reading import Place
from crud_svc.entities.target import Target
from crud_svc.entities.writes import Write
from eskit.errors import EskitError, EventIdReused, TooLarge, VersionConflict
from eskit.events import Stored
from eventstore_svc.store import NewEvent

OTHERS = "Other operations of this batch are in the log, this one is not; send the first batch again"
KEY = "Idempotency-Key"
APART = "The operations of this batch are in the log, but were not stored together"


class Refusal(NamedTuple):
    """Why nothing is stored, and which write (from 0) is the reason."""

    number: int
    error: EskitError


async def together(batch: Batch, writes: Sequence[Write]) -> list[Done] | Refusal:
    """Do all writes in their order, or none; several of one entity follow each other.

    Either all have ids of their callers, or none has: then the same batch again gets its first answer.
    Raises Unavailable, OutcomeUnknown.
    """
    known = await batch.known(writes)
    if known:
        return await _repeated(batch, writes, known)
    moved, met = 0, await _states(batch, writes, look=False)
    for attempt in range(TRIES):
        found = await _attempt(batch, writes, met, looked=attempt > 0)
        if found is not None:
            return found
        # Somebody was faster, or what was taken for new is not.
        await asyncio.sleep(random.random() * PAUSE_S * attempt)  # noqa: S311 - spreads retries, keeps no secret
        states = await _states(batch, writes, look=True)
        moved = next((n for n, write in enumerate(writes) if states[write.target] != met[write.target]), moved)
        met = states
    target = writes[moved].target
    message = f"{target} was changed by others {TRIES} times meanwhile; try again"
    return Refusal(moved, VersionConflict(message, actual=met[target].version))


async def _attempt(
    batch: Batch, writes: Sequence[Write], states: Mapping[Target, State], *, looked: bool
) -> list[Done] | Refusal | None:
    """Decide all writes on these states and store their events; None where that has to be done on other states."""
    decided = await _decided(Course(batch.entities, states), writes)
    if isinstance(decided, Refusal):
        return await _confirmed(batch, writes, decided) if looked else None
    events = [event for event in decided if event is not None]
    if not events:
        return _told(decided, writes, states, [])
    try:
        stored = await batch.store.append(events)
    except VersionConflict:
        return None
    except EventIdReused as reused:
        # Stored since they were looked for: by the same batch, which met another state, or by somebody else.
        ids = [str(write.about.event_id) for write in writes]
        return await _confirmed(batch, writes, Refusal(ids.index(reused.extra["event_id"]), reused))
    if not stored.new:
        return await _repeated(batch, writes, await batch.known(writes))
    return _told(decided, writes, states, [(event.version, event.position) for event in stored.events])


async def _confirmed(batch: Batch, writes: Sequence[Write], refusal: Refusal) -> list[Done] | Refusal:
    """The refusal, unless the batch was sent twice, and has been stored at this moment."""
    known = await batch.known(writes)
    return await _repeated(batch, writes, known) if known else refusal


async def _states(batch: Batch, writes: Sequence[Write], *, look: bool) -> dict[Target, State]:
    """What each entity is at: by its first write, which may be one that needs no look."""
    first = {write.target: write for write in reversed(writes)}
    states = await asyncio.gather(*(batch.state(write, look=look) for write in first.values()))
    return dict(zip(first, states, strict=True))


async def _decided(course: Course, writes: Sequence[Write]) -> list[NewEvent | None] | Refusal:
    events: list[NewEvent | None] = []
    size = 0
    for number, write in enumerate(writes):
        try:
            event = await course.decide(write)
            events.append(event)
            size += event.size_bytes if event is not None else 0
            if size > MOST_BYTES:
                message = f"The events up to here have {size} bytes together, {MOST_BYTES} are allowed in one commit"
                raise TooLarge(message, limit=MOST_BYTES)
        except EskitError as error:
            return Refusal(number, error)
    return events


def _told(
    decided: Sequence[NewEvent | None],
    writes: Sequence[Write],
    states: Mapping[Target, State],
    places: Iterable[tuple[int, int]],
) -> list[Done]:
    at = {target: (state.version, state.position) for target, state in states.items()}
    following = iter(places)
    found: list[Done] = []
    for event, write in zip(decided, writes, strict=True):
        if event is not None:
            at[write.target] = next(following)
        action = event.type.action if event is not None else None
        found.append(Done(*at[write.target], action, stored=event is not None))
    return found


async def _repeated(batch: Batch, writes: Sequence[Write], known: Mapping[UUID, Stored]) -> list[Done] | Refusal:
    """The first answer to a batch of which events are in the log; a refusal where it is not the same batch."""
    states: dict[Target, State] = {}
    found: list[Done] = []
    for number, write in enumerate(writes):
        event = known.get(write.about.event_id)
        try:
            if event is not None:
                written = await batch.entities.repeated(write, event)
                states[write.target] = written.after()
                found.append(done(written))
                continue
            state = states.get(write.target) or await _before(batch, write.target, known)
            found.append(await _nothing(batch, write, state))
        except EskitError as error:
            return Refusal(number, error)
    positions = [event.position for event in known.values()]
    if max(positions) - min(positions) + 1 != len(positions):
        first = next(n for n, write in enumerate(writes) if write.about.event_id in known)
        return Refusal(first, EventIdReused(APART, field=KEY, event_id=str(writes[first].about.event_id)))
    return found


async def _before(batch: Batch, target: Target, known: Mapping[UUID, Stored]) -> State:
    """What a write without an event met: its entity before the batch, of which no earlier write has changed it."""
    first = min(event.position for event in known.values())
    return await batch.entities.reader.state(target, Place(position=first - 1))


async def _nothing(batch: Batch, write: Write, state: State) -> Done:
    """The answer to a write that has changed nothing; raises EventIdReused where it would change something."""
    try:
        changes = await batch.entities.decided(write, state) is not None
    except EskitError:
        changes = True
    if changes:
        raise EventIdReused(OTHERS, field=KEY, event_id=str(write.about.event_id))
    return Done(state.version, state.position, None, stored=False)
