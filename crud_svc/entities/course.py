"""Writes decided one after the other, before any of them is stored, and what became of each."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from crud_svc.documents.state import Fold, State
from crud_svc.entities.entities import Entities, Written
from crud_svc.entities.target import Target
from crud_svc.entities.writes import Write
from eskit.errors import EskitError, OutcomeUnknown, Unavailable
from eventstore_svc.store import NewEvent


class Done(NamedTuple):
    """Where an entity stands after a write. `action` is that of its event, None where nothing would change.

    `stored`: by this call; not, where the same write had been stored before, and this is its first answer.
    """

    version: int
    position: int
    action: str | None
    stored: bool


Outcome = Done | EskitError
Decided = NewEvent | EskitError | None


# Events of so many bytes go into one append, however few lines have made them: a restore brings a whole document.
MOST_BYTES = 8 * 1024 * 1024


class Course:
    """The states of entities as one write after the other is decided, before any of them is stored."""

    def __init__(self, entities: Entities, states: Mapping[Target, State]) -> None:
        """`states`: of all entities that are written."""
        self._entities = entities
        self._states = dict(states)
        self._last: dict[Target, NewEvent] = {}  # not folded yet: most entities are written once

    async def decide(self, write: Write) -> NewEvent | None:
        """The event of the next write, None where nothing would change; raises why it is refused."""
        await asyncio.sleep(0)  # a decision on a large document takes 20 ms: others have their turn
        event = await self._entities.decided(write, self.state(write.target))
        if event is not None:
            self._last[write.target] = event
        return event

    def state(self, target: Target) -> State:
        """Of an entity by now. The position of what is not stored yet is 0."""
        last = self._last.pop(target, None)
        if last is not None:
            fold = Fold(self._states[target])
            fold.apply(last.wanted, 0, 0, last.type.action, last.payload)
            self._states[target] = fold.state()
        return self._states[target]


async def decide_first(course: Course, writes: Sequence[Write]) -> list[Decided]:
    """Decide the first writes: as many as go into one append."""
    found: list[Decided] = []
    size = 0
    for write in writes:
        if size >= MOST_BYTES:
            break
        try:
            event = await course.decide(write)
            found.append(event)
            size += event.size_bytes if event is not None else 0
        except Unavailable as error:
            # What follows is not to be done before this, which will be sent again.
            found += [own(error, other) for other in writes[len(found) :]]
            break
        except EskitError as error:
            found.append(error)
    return found


def own(error: EskitError, write: Write) -> EskitError:
    """An error that several writes share, as that of one of them: whoever sends it again needs its own id only."""
    extra = error.extra
    if isinstance(error, OutcomeUnknown):
        extra = extra | {"event_ids": [str(write.about.event_id)]}
    return type(error)(error.detail, field=error.field, **extra)


def done(written: Written) -> Done:
    """What became of a write that was done alone."""
    action = written.event.action if written.event else None
    return Done(written.version, written.position, action, stored=written.new and action is not None)
