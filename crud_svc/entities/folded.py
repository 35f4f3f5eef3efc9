"""What statements answer of an entity: a snapshot, events, and the state they make."""

from __future__ import annotations

from typing import NamedTuple

from crud_svc.documents.exact_json import parse_stored
from crud_svc.documents.state import State
from eventstore_svc.store import Rows
from eventstore_svc.store.arrays import MICROS_2000


class Folded(NamedTuple):
    """A state, and what it took to make it: events, and bytes of their payloads."""

    state: State
    events: int
    bytes: int


def micros(rows: Rows, row: int, column: int = 2) -> int:
    """A time, in microseconds since 1970."""
    return rows.number(row, column) + MICROS_2000


def snapshot(rows: Rows, row: int = 0, first: int = 0) -> State:
    """A snapshot; `first`: the column of its version, which position, time, action, document and deletion follow."""
    deleted_at, body = rows.number(row, first + 5), rows.bytes(row, first + 4) or None
    document = parse_stored(body) if body is not None and not deleted_at else None
    version, position = rows.number(row, first), rows.number(row, first + 1)
    return State(version, position, micros(rows, row, first + 2), document, body, deleted_at)
