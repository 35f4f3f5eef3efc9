"""What an import sends for exported entities, and what it makes of the answers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from enum import Enum
from typing import Any

import msgspec

from eskit.cli.export_lines import EntityLine
from eskit.client.http import Connections
from eskit.client.lines import send_lines
from eskit.errors import AlreadyExists, Deleted, EskitError

ENTITIES = "/v1/entities:batch"
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


async def import_entities(crud: Connections, lines: Sequence[EntityLine], existing: Existing) -> list[Outcome]:
    """Create the entities; with REPLACE put the documents in the place of what is there. Raises Unavailable."""
    found = await _sent(crud, [_creation(line) for line in lines])
    there = [n for n, outcome in enumerate(found) if isinstance(outcome, AlreadyExists | Deleted)]
    if existing is Existing.SKIP:
        for number in there:
            found[number] = Fate.SKIPPED
    elif existing is Existing.REPLACE and there:
        again = [_replacement(lines[n], deleted=isinstance(found[n], Deleted)) for n in there]
        for number, outcome in zip(there, await _sent(crud, again), strict=True):
            found[number] = outcome
    return found


async def _sent(crud: Connections, lines: Sequence[bytes]) -> list[Outcome]:
    results = await send_lines(crud, ENTITIES, lines)
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


def _one_line(value: dict[str, Any]) -> bytes:
    return _encode(value).translate(_ONE_LINE)
