"""Entities on top of the event store: read the stream, fold, decide, append at the next version."""

from __future__ import annotations

import asyncio
import random
from typing import NamedTuple

import msgspec

from crud_svc.documents.exact_json import MAX_DEPTH, identical, parse, parse_object
from crud_svc.documents.state import AROUND_VALUES, CREATED, DELETED, State, fold
from crud_svc.entities.reading import Place, Reader
from crud_svc.entities.recent import Recent
from crud_svc.entities.target import SCHEMA_VERSION, About
from crud_svc.entities.writes import Decision, Write
from crud_svc.types.validators import Validators
from eskit.errors import (
    Conflict,
    Deleted,
    EskitError,
    EventIdReused,
    InvalidRequest,
    NotFound,
    PreconditionFailed,
    TooLarge,
    VersionConflict,
)
from eskit.events import Stored
from eskit.names import EventType
from eventstore_svc.store import EventStore, NewEvent, Recorded
from eventstore_svc.store.repeats import TRANSPORT_METADATA

TRIES = 10
PAUSE_S = 0.002

# What depends on the state of the log, so that the answer to a request that was done before can be among them.
_REFUSALS = (Conflict, NotFound, Deleted, PreconditionFailed, InvalidRequest, TooLarge)


# Of the metadata what is no part of a write: how it came, and what the service has added.
_NOT_SENT = TRANSPORT_METADATA | {SCHEMA_VERSION}
_metadata = msgspec.json.Decoder(dict[str, str])


class Written(NamedTuple):
    """What became of a write: the state before it, and its event; None when nothing changed.

    `new`: False where the same write had stored it before, and this is its first answer.
    """

    before: State
    event: Stored | None
    new: bool = True

    @property
    def version(self) -> int:
        """The version after it."""
        return self.event.version if self.event else self.before.version

    @property
    def position(self) -> int:
        """The position of the entity's last event."""
        return self.event.position if self.event else self.before.position

    def after(self) -> State:
        """The state after it."""
        return fold(self.before, self.event) if self.event else self.before


class _Decided(NamedTuple):
    """A state, what a write makes of it, and the version of the schema that the document was held against."""

    state: State
    decision: Decision | None
    schema_version: int | None


class Entities:
    """Write entities; `reader` reads them, `validators` say what their documents must be like."""

    def __init__(
        self, store: EventStore, reader: Reader, max_event_bytes: int, validators: Validators | None = None
    ) -> None:
        self._store = store
        self.reader = reader
        self._limit_bytes = max_event_bytes
        self._validators = validators
        self._recent = Recent()

    async def write(self, write: Write) -> Written:
        """Do it, or answer what was answered when it was done before under the same event id.

        Raises NotFound, Deleted, PreconditionFailed, AlreadyExists, VersionConflict, EventIdReused, PatchFailed,
        SchemaViolated, TooLarge, Unavailable, OutcomeUnknown.
        """
        try:
            written = await self._attempt(write)
        except _REFUSALS:
            # The stream has moved on since the first time, so a retry meets other preconditions than the first did.
            first = await self.first_answer(write) if write.about.id_is_given else None
            if first is None:
                raise
            return first
        if written is not None and (written.event is not None or not write.about.id_is_given):
            return written
        first = await self.first_answer(write)
        if first is None and written is None:
            raise EskitError("An event that the store has is not to be found")
        return first or written or Written(State(), None)

    async def _attempt(self, write: Write) -> Written | None:
        """None: the event id is in the log already."""
        actual = 0
        for attempt in range(TRIES):
            decided = await self._guess(write) if attempt == 0 else None
            if decided is None:
                decided = await self._decided(write, await self.reader.state(write.target))
            state, decision, _ = decided
            if decision is None:
                return Written(state, None)
            event = self._event(write, decided)
            try:
                appended = await self._store.append([event])
            except EskitError as error:
                self._recent.drop(write.target)
                if not isinstance(error, VersionConflict):
                    raise
                # Somebody was faster. With If-Match the next look at it ends in 412, without it is tried again.
                actual = error.extra.get("actual", 0)
                await asyncio.sleep(random.random() * PAUSE_S * attempt)  # noqa: S311 - spreads retries, keeps no secret
                continue
            if not appended.new:
                return None
            self._remember(write, decision, appended.events[0])
            return Written(state, _as_stored(event, appended.events[0]))
        message = f"{write.target} was changed by others {TRIES} times meanwhile; try again"
        raise VersionConflict(message, expected=state.version, actual=actual)

    async def _decided(self, write: Write, state: State) -> _Decided:
        write.check(state)
        decision = write.decide(state)
        version = None
        if decision is not None and decision.action != DELETED and self._validators is not None:
            validator = await self._validators.validator(write.target.entity_type)
            if validator is not None:
                document = decision.after.document if decision.after else parse_object(decision.payload)
                await validator.check(document)
                version = validator.version
        return _Decided(state, decision, version)

    async def _guess(self, write: Write) -> _Decided | None:
        """What is decided on the state as it probably is; only an append can tell. None where that is no help."""
        # A new entity needs no look: the append itself finds out whether it is one.
        state = State() if write.fresh else self._recent.get(write.target)
        if state is None:
            return None
        try:
            decided = await self._decided(write, state)
        except EskitError:
            return None
        return decided if decided.decision is not None else None

    def _remember(self, write: Write, decision: Decision, place: Recorded) -> None:
        if decision.after is None:
            self._recent.drop(write.target)
            return
        text = decision.payload if decision.action == CREATED else None
        state = State(place.version, place.position, 0, decision.after.document, text)
        self._recent.put(write.target, state, decision.after.size)

    async def decided(self, write: Write, state: State) -> NewEvent | None:
        """The event to store, None where nothing would change; raises why it is refused, as `write` does."""
        decided = await self._decided(write, state)
        return None if decided.decision is None else self._event(write, decided)

    def _event(self, write: Write, decided: _Decided) -> NewEvent:
        state, decision, schema_version = decided
        assert decision is not None  # noqa: S101 - narrows the type: without a decision there is no event
        event = NewEvent(
            event_id=write.about.event_id,
            id_is_given=write.about.id_is_given,
            type=EventType(write.target.entity_type, decision.action),
            originator_id=write.target.id,
            wanted=state.version + 1,
            payload=decision.payload,
            metadata=write.about.validated_by(schema_version),
            occurred_on_us=write.about.occurred_on_us,
        )
        if event.size_bytes > self._limit_bytes:
            limit = self._limit_bytes
            message = f"The event would have {event.size_bytes} bytes, {limit} are allowed (ESKIT_MAX_EVENT_BYTES)"
            raise TooLarge(message, field="body", limit=limit)
        return event

    async def first_answer(self, write: Write) -> Written | None:
        """What this write was answered the first time; None when it was not done; raises EventIdReused."""
        found = await self._store.by_id([write.about.event_id])
        return await self.repeated(write, found[0]) if found else None

    async def repeated(self, write: Write, event: Stored) -> Written:
        """The first answer to a write whose event id the log has; raises EventIdReused where it was another write."""
        if (event.entity_type, event.originator_id) == write.target:
            first = event.version == 1
            before = State() if first else await self.reader.state(write.target, Place(event.version - 1))
            if _decides(write, before, event) and _says(write.about, event):
                return Written(before, event, new=False)
        message = f"The event id {event.event_id} is in the log at position {event.position}, with other content"
        raise EventIdReused(message, field="Idempotency-Key", event_id=event.event_id, position=event.position)


def _decides(write: Write, before: State, event: Stored) -> bool:
    """Whether the write, in the state it met the first time, makes this event."""
    try:
        decision = write.decide(before)
        if decision is None or decision.action != event.action:
            return False
        levels = MAX_DEPTH + AROUND_VALUES
        stored = event.payload.encode()
        return decision.payload == stored or identical(
            parse(decision.payload, levels=levels), parse(stored, levels=levels)
        )
    except EskitError:
        return False


def _says(about: About, event: Stored) -> bool:
    """Whether who and when, which are a part of what is sent, are the same; how it came may differ, as by its trace."""
    return about.occurred_on_us in {None, event.occurred_on_us} and _content(about.metadata) == _content(event.metadata)


def _content(metadata: bytes | str) -> dict[str, str]:
    return {key: value for key, value in _metadata.decode(metadata).items() if key not in _NOT_SENT}


def _as_stored(event: NewEvent, place: Recorded) -> Stored:
    """An event that was just stored; only its recorded time is not known here."""
    return Stored(
        position=place.position,
        event_id=str(place.event_id),
        entity_type=event.type.entity_type,
        originator_id=place.originator_id,
        version=place.version,
        action=event.type.action,
        payload=event.payload.decode(),
        metadata=event.metadata.decode(),
        occurred_on_us=event.occurred_on_us or 0,
        recorded_at_us=0,
    )
