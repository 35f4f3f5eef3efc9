"""Registering and changing types: each is an entity of ESKIT's own, so its writes are those of any entity."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import NamedTuple

from crud_svc.documents.difference import Document
from crud_svc.documents.exact_json import encode, identical
from crud_svc.documents.state import State
from crud_svc.entities import preconditions, writes
from crud_svc.entities.entities import Entities, Written
from crud_svc.entities.reading import Place, Reader
from crud_svc.entities.target import About
from crud_svc.entities.writes import Decision, Given, Write
from crud_svc.types import records
from crud_svc.types.compatibility import incompatibilities
from crud_svc.types.records import Record
from crud_svc.types.schemas import Schema, read
from crud_svc.types.validators import Validators
from crud_svc.types.worker import Task
from crud_svc.types.worker_process import LIMIT_S, TookTooLong, WorkerProcess
from eskit import names
from eskit.errors import IncompatibleSchema, InvalidRequest, NotFound
from eskit.types import Incompatibility, Mode
from eskit.web.etags import Tags
from eventstore_svc.store import LAST_VERSION, EventStore


class Change(NamedTuple):
    """What a type is to be. `wanted`: the versions it may be based on; None: a new type."""

    entity_type: str
    schema: Schema
    compatibility: Mode | None  # None: as it is, `none` for a new one
    wanted: Tags | None
    skip_duplicate: bool


class Judged(NamedTuple):
    """What speaks against a change as the next version after this one."""

    version: int
    incompatibilities: list[Incompatibility]


class Types:
    """Reads and writes types."""

    def __init__(self, store: EventStore, entities: Entities, validators: Validators, worker: WorkerProcess) -> None:
        """`entities` must not validate: schemas are held against their drafts."""
        self._store = store
        self._entities = entities
        self._worker = worker
        self.validators = validators

    @property
    def reader(self) -> Reader:
        """Reads what is kept of types, as of any entity."""
        return self._entities.reader

    async def accepted(self, document: Document) -> Schema:
        """A schema that may be used; raises InvalidRequest whose field is a JSON pointer, Overloaded, Unavailable."""
        schema = read(document)
        try:
            reply = await self._worker.do(Task(schema.text))
        except TookTooLong:
            raise InvalidRequest(f"The schema takes more than {LIMIT_S:g} s to compile", field="/schema") from None
        if reply.refused:
            raise InvalidRequest(reply.refused, field=reply.field)
        return schema

    async def write(self, change: Change, about: About) -> Written:
        """Register or change a type.

        Raises what Entities.write raises, and IncompatibleSchema.
        """
        judged = await self._judged(change) if change.wanted is not None else None
        try:
            return await self._entities.write(_write(change, about, judged))
        finally:
            self.validators.forget(change.entity_type)

    async def _judged(self, change: Change) -> Judged:
        # In a thread, because it may take a second, and before the write, which has no place to wait.
        state = await self.reader.state(records.target(change.entity_type))
        present = records.record(change.entity_type, state)
        found = await asyncio.to_thread(_breaks, present, change.schema, change.compatibility)
        return Judged(state.version, found)

    async def get(self, entity_type: str, version: int = LAST_VERSION) -> Record:
        """A type as it is, or at a version; raises NotFound."""
        state = await self.reader.state(records.target(entity_type), Place(version))
        found = records.record(entity_type, state)
        if found is None:
            raise _unknown(entity_type)
        if version != LAST_VERSION and found.version < version:
            message = f"The type {entity_type} has no version {version}: it is at {found.version}"
            raise NotFound(message, field="version", version=found.version)
        return found

    async def after(self, name: str, limit: int) -> list[Record]:
        """The next types in the order of their names."""
        streams = await self._store.streams_after((names.TYPES, name), names.TYPES, limit)
        return [await self.get(stream.originator_id) for stream in streams]

    async def breaks(self, entity_type: str, schema: Schema, mode: Mode | None) -> list[Incompatibility]:
        """What speaks against a schema as the type's next version, under a mode or its own."""
        state = await self.reader.state(records.target(entity_type))
        return await asyncio.to_thread(_breaks, records.record(entity_type, state), schema, mode)


def _breaks(present: Record | None, schema: Schema, mode: Mode | None) -> list[Incompatibility]:
    if present is None or identical(present.schema, schema.document):
        return []
    return incompatibilities(read(present.schema), schema, mode or present.compatibility)


def _unknown(entity_type: str) -> NotFound:
    return NotFound(f"There is no type {entity_type}; register it by PUT with If-None-Match: *")


def _write(change: Change, about: About, judged: Judged | None) -> Write:
    decide = partial(_decide, change, about, judged)
    return Write(records.target(change.entity_type), about, partial(_check, change), decide, fresh=False)


def _wanted(change: Change, state: State) -> Document:
    present = records.record(change.entity_type, state)
    mode = change.compatibility or (present.compatibility if present else "none")
    return records.document(change.schema.document, mode)


def _is_duplicate(change: Change, state: State) -> bool:
    """Whether it is already as it is wanted, and this is to be no error whatever version that is."""
    if not change.skip_duplicate or state.document is None:
        return False
    return identical(state.document, _wanted(change, state))


def _check(change: Change, state: State) -> None:
    if _is_duplicate(change, state):
        return
    if change.wanted is None:
        preconditions.require_none(state)
        return
    if not state.alive:
        raise _unknown(change.entity_type)
    preconditions.require(change.wanted, state)


def _decide(change: Change, about: About, judged: Judged | None, state: State) -> Decision | None:
    if _is_duplicate(change, state):
        return None
    target, document = records.target(change.entity_type), _wanted(change, state)
    given = Given(encode(document), document)
    if change.wanted is None:
        return writes.create(target, about, given, check=preconditions.require_none).decide(state)
    if judged is not None and judged.version == state.version:
        found = judged.incompatibilities
    else:  # somebody was faster, or the write is looked at as it was done the first time
        found = _breaks(records.record(change.entity_type, state), change.schema, change.compatibility)
    _require_compatible(found)
    return writes.replace(target, about, change.wanted, given).decide(state)


def _require_compatible(found: list[Incompatibility]) -> None:
    if not found:
        return
    first = found[0]
    whose = "the new schema" if first.direction == "backward" else "the present schema"
    message = f"Not {first.direction} compatible: at {first.pointer or 'its root'}, {whose}: {first.message}"
    raise IncompatibleSchema(message, field="/schema", incompatibilities=found)
