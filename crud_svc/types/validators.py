"""The validator of each type: cached, and known to be the present one within a second."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from time import monotonic
from typing import NamedTuple

from crud_svc.documents.difference import Document
from crud_svc.entities.reading import Reader
from crud_svc.types import records
from crud_svc.types.engine import Engine, Plain
from crud_svc.types.schemas import Schema, read
from crud_svc.types.violations import NONE, Violations
from crud_svc.types.worker import Task
from crud_svc.types.worker_process import LIMIT_S, TookTooLong, WorkerProcess
from eskit.errors import EskitError, InvalidRequest, SchemaViolated

# A write that begins so long after the answer to a type's update is held against the new schema, in every process.
SEEN_WITHIN_S = 1.0
MAX_CACHED = 1000

# Steps (`Schema.weight`, for each value) that are taken here: some 25 ms. More are taken in the process beside.
MAX_STEPS = 500_000
# To tell what is wrong takes some hundred times as long as to tell that something is.
MAX_STEPS_TO_LIST = 2000
# Steps that a pattern may take for a character of a text.
PATTERN_STEPS = 100


class Validator:
    """Holds documents against one version of a type's schema."""

    def __init__(self, entity_type: str, version: int, schema: Schema, worker: WorkerProcess) -> None:
        """Does not compile yet. `version` 0: a schema that is only tried."""
        self.version = version
        self._entity_type = entity_type
        self._schema = schema
        self._worker = worker
        self._engine: Engine | None = None

    async def check(self, document: Document) -> None:
        """Raises SchemaViolated, which lists what is wrong; InvalidRequest where it takes too long to find out."""
        found = await self.violations(document)
        if found:
            first, more = found.listed[0], len(found.listed) - 1 + found.more
            message = f"The document is not a {self._entity_type}: at {first.pointer or 'its root'}: {first.message}"
            raise SchemaViolated(
                f"{message} (and {more} more)" if more else message,
                field=first.pointer,
                entity_type=self._entity_type,
                schema_version=self.version,
                violations=found.listed,
                more=found.more,
            )

    async def violations(self, document: Document) -> Violations:
        """What is wrong with a document; raises InvalidRequest where it takes too long to find out."""
        plain = Plain(document)
        steps = self._schema.weight * plain.values + self._schema.patterns * plain.characters * PATTERN_STEPS
        if self._schema.weight and steps <= MAX_STEPS:
            engine = self._compiled()
            if engine.accepts(plain):
                return NONE
            if steps <= MAX_STEPS_TO_LIST:
                return engine.violations(plain)
        return await self._apart(plain.text.decode())

    def _compiled(self) -> Engine:
        if self._engine is None:
            try:
                self._engine = Engine(self._schema)
            except InvalidRequest as error:
                raise _unusable(self._entity_type, error) from error
        return self._engine

    async def _apart(self, document: str) -> Violations:
        for only_first in (False, True):
            try:
                reply = await self._worker.do(Task(self._schema.text, document, only_first))
            except TookTooLong:
                continue
            if reply.refused:
                raise _unusable(self._entity_type, InvalidRequest(reply.refused))
            return reply.violations
        message = f"It takes more than {LIMIT_S:g} s to hold the document against the schema of {self._entity_type}"
        raise InvalidRequest(f"{message}: make either smaller, or the schema simpler", field="")


def _unusable(entity_type: str, error: InvalidRequest) -> EskitError:
    # Not the fault of who writes an entity: the schema was registered when other rules held.
    return EskitError(f"The schema of {entity_type} cannot be used any more, change it: {error.detail}")


class _Known(NamedTuple):
    """What was found about a type, and when it was asked for."""

    validator: Validator | None
    asked_at: float


class Validators:
    """The validators of all types."""

    def __init__(self, reader: Reader, worker: WorkerProcess) -> None:
        self._reader = reader
        self._worker = worker
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._asking: dict[str, asyncio.Task[_Known]] = {}

    async def validator(self, entity_type: str) -> Validator | None:
        """Of a type as it is, or was a second ago; None where it is not registered. Raises Unavailable.

        A type is asked for once a second at most, whatever is written: mostly this is one look into a dictionary.
        """
        oldest = monotonic() - SEEN_WITHIN_S
        known = self._known.get(entity_type)
        while known is None or known.asked_at < oldest:
            known = await self._ask(entity_type)
        return known.validator

    def forget(self, entity_type: str) -> None:
        """Ask anew before the next write: the type was changed by this process."""
        self._known.pop(entity_type, None)
        self._asking.pop(entity_type, None)

    def trial(self, entity_type: str, schema: Schema) -> Validator:
        """For a schema that is not registered."""
        return Validator(entity_type, 0, schema, self._worker)

    async def _ask(self, entity_type: str) -> _Known:
        """All who want to know at the same time ask once. One who gives up takes the answer away from nobody."""
        task = self._asking.get(entity_type)
        if task is None:
            task = self._asking[entity_type] = asyncio.create_task(self._found(entity_type, monotonic()))
        return await asyncio.shield(task)

    async def _found(self, entity_type: str, asked_at: float) -> _Known:
        this = asyncio.current_task()
        try:
            record = records.record(entity_type, await self._reader.state(records.target(entity_type)))
            before = self._known.get(entity_type)
            if record is None:
                validator = None
            elif before is not None and before.validator is not None and before.validator.version == record.version:
                validator = before.validator
            else:
                validator = self._made(record)
            known = _Known(validator, asked_at)
            if self._asking.get(entity_type) is this:  # else it was told to forget meanwhile
                self._known[entity_type] = known
                self._known.move_to_end(entity_type)
                if len(self._known) > MAX_CACHED:
                    self._known.popitem(last=False)
            return known
        finally:
            if self._asking.get(entity_type) is this:
                del self._asking[entity_type]

    def _made(self, record: records.Record) -> Validator:
        try:
            return Validator(record.entity_type, record.version, read(record.schema), self._worker)
        except InvalidRequest as error:
            raise _unusable(record.entity_type, error) from error
