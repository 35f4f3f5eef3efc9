"""What an import sends for the lines of an export, and what it makes of the answers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from enum import Enum
from typing import Any, NamedTuple

import msgspec

from eskit.cli.export_lines import EntityLine, EventLine
from eskit.client.eventstore import EventStoreClient
from eskit.client.http import ServiceClient
from eskit.client.lines import send_lines
from eskit.errors import AlreadyExists, Deleted, EskitError, EventIdReused, NotFound
from eskit.events import Event

ENTITIES, EVENTS = "/v1/entities:batch", "/v1/events/batch"
_encode = msgspec.json.Encoder().encode
_ONE_LINE = bytes.maketrans(b"\r\n", b"  ")


class Existing(Enum):
    """What to do with an entity that exists already, or was deleted."""

    REFUSE = "refuse"
    SKIP = "skip"
    REPLACE = "replace"


class Fate(Enum):
    """What became of a line that was not refused."""

    STORED = "stored"
    KNOWN = "there already"
    SKIPPED = "skipped"


Outcome = Fate | EskitError


class Services(NamedTuple):
    """Where an import goes."""

    crud: ServiceClient
    store: EventStoreClient


async def import_entities(services: Services, lines: Sequence[EntityLine], existing: Existing) -> list[Outcome]:
    """Create the entities; with REPLACE put the documents in the place of what is there. Raises Unavailable."""
    found = await _sent(services.crud, ENTITIES, [_creation(line) for line in lines])
    there = [n for n, outcome in enumerate(found) if isinstance(outcome, AlreadyExists | Deleted)]
    if existing is Existing.SKIP:
        for number in there:
            found[number] = Fate.SKIPPED
    elif existing is Existing.REPLACE and there:
        again = [_replacement(lines[n], deleted=isinstance(found[n], Deleted)) for n in there]
        for number, outcome in zip(there, await _sent(services.crud, ENTITIES, again), strict=True):
            found[number] = outcome
    return found


async def import_events(services: Services, lines: Sequence[EventLine]) -> list[Outcome]:
    """Append the events under their own ids, at their versions. Raises Unavailable."""
    found = await _sent(services.store, EVENTS, [_append(line) for line in lines])
    for number, outcome in enumerate(found):
        # Also where it was stored together with others, which an append of it alone is not.
        if isinstance(outcome, EventIdReused) and await _is_stored(services.store, lines[number]):
            found[number] = Fate.KNOWN
    return found


async def _sent(client: ServiceClient, path: str, lines: Sequence[bytes]) -> list[Outcome]:
    results = await send_lines(client, path, lines)
    return [result.error() or (Fate.STORED if result.stored else Fate.KNOWN) for result in results]


def _creation(line: EntityLine) -> bytes:
    return _line(line, "import", op="create")


def _replacement(line: EntityLine, *, deleted: bool) -> bytes:
    wanted = {"if_none_match": "*"} if deleted else {"if_match": "*"}
    return _line(line, f"import {next(iter(wanted))}", op="put", **wanted)


def _line(line: EntityLine, purpose: str, **what: Any) -> bytes:
    # The same line makes the same event, however often it is sent: that is what an import may be repeated by.
    said = _encode([purpose, line.type, line.id, line.version, line.document])
    key = f"import-{hashlib.sha256(said).hexdigest()}"
    return _one_line({**what, "type": line.type, "id": line.id, "idempotency_key": key, "document": line.document})


def _append(line: EventLine) -> bytes:
    return _one_line(
        {
            "originator": {"id": line.subject, "version": line.version},
            "event_type": line.type,
            "payload": line.data,
            "metadata": line.metadata,
            "event_id": line.id,
            "occurred_on": line.time,
        }
    )


def _one_line(value: dict[str, Any]) -> bytes:
    return _encode(value).translate(_ONE_LINE)


async def _is_stored(store: EventStoreClient, line: EventLine) -> bool:
    try:
        event = await store.event(line.id)
    except NotFound:
        return False
    return _content(event) == (line.type, line.subject, line.version, line.time, bytes(line.data), line.metadata)


def _content(event: Event) -> tuple[Any, ...]:
    payload = bytes(event.payload).translate(_ONE_LINE)
    origin = event.originator
    return event.event_type, origin.id, origin.version, event.occurred_on, payload, event.metadata
