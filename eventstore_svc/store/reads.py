"""Reading the log: streams, ranges of positions, single events. All by index, none waits for an append."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, LiteralString, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection, AsyncCursor

from eskit.events import Stored
from eskit.postgres.connections import Pool, use
from eskit.postgres.statements import statement
from eskit.selectors import Selector
from eventstore_svc.store.arrays import MICROS_2000, UuidArray, uuids
from eventstore_svc.store.repeats import Found

READ_STREAM = statement("eventstore_svc", "read_stream")
READ_LOG = statement("eventstore_svc", "read_log")
LOG_HEAD = statement("eventstore_svc", "log_head")
TYPE_PAGE = statement("eventstore_svc", "type_page")
LOG_END = statement("eventstore_svc", "log_end")
EVENTS_BY_ID = statement("eventstore_svc", "events_by_id")
APPENDED_BY_ID = statement("eventstore_svc", "appended_by_id")

LAST_VERSION = 2**31 - 1
# A selector that nothing matches must not walk the whole log in one request: so many positions at most, then `next`.
SCAN_POSITIONS = 100_000
# Payloads and metadata of one page: a page ends when it has so much, whatever its limit in events.
PAGE_BYTES = 8 * 1024 * 1024


class Head(NamedTuple):
    """The end of the log."""

    position: int  # of the last event; 0 for an empty log
    published: int  # everything up to here is known to be on the topic


class StreamPage(NamedTuple):
    """A part of a stream; `more` tells whether the range may have more."""

    events: list[Stored]
    more: bool


class Page(NamedTuple):
    """A part of the log; `next` is where to go on, past what the selector skipped."""

    events: list[Stored]
    next: int


def stored(values: Sequence[Any]) -> Stored:
    """The ten columns of an event."""
    columns = (*values[:8], values[8] + MICROS_2000, values[9] + MICROS_2000)
    return Stored(*columns)


def stored_rows(_: AsyncCursor[Any]) -> Callable[[Sequence[Any]], Stored]:
    """psycopg row factory for them."""
    return stored


async def stream(
    pool: Pool, entity_type: str, originator_id: str, *, from_version: int, to_version: int, limit: int
) -> StreamPage:
    """Events of one stream in order; empty when there are none in the range."""
    values = {"entity_type": entity_type, "originator_id": originator_id, "from_version": from_version,
              "to_version": to_version, "limit": limit, "most_bytes": PAGE_BYTES}  # fmt: skip
    events = await use(pool, lambda connection: rows(connection, READ_STREAM, values))
    return StreamPage(events, is_full(events, limit) and events[-1].version < to_version)


async def of_type(pool: Pool, entity_type: str, after: tuple[str, int], limit: int) -> StreamPage:
    """Events of all streams of a type, by id and version, after such a place."""
    values = {"entity_type": entity_type, "after_id": after[0], "after_version": after[1], "limit": limit,
              "most_bytes": PAGE_BYTES}  # fmt: skip
    events = await use(pool, lambda connection: rows(connection, TYPE_PAGE, values))
    return StreamPage(events, is_full(events, limit))


async def by_id(pool: Pool, event_ids: Sequence[UUID]) -> list[Stored]:
    """The events with these ids, in no order; missing ones are left out."""
    values = {"event_ids": UuidArray(uuids(event_ids))}
    return await use(pool, lambda connection: rows(connection, EVENTS_BY_ID, values))


async def appended(pool: Pool, event_ids: Sequence[UUID]) -> list[Found]:
    """The events with these ids, in no order, and how they were appended; missing ones are left out."""

    async def find(connection: AsyncConnection) -> list[Found]:
        async with connection.cursor(binary=True) as cursor:
            await cursor.execute(APPENDED_BY_ID, {"event_ids": UuidArray(uuids(event_ids))})
            return [Found(stored(row), row[10]) for row in await cursor.fetchall()]

    return await use(pool, find)


async def head(pool: Pool) -> Head:
    """The end of the log as of now."""
    return await use(pool, log_head)


async def log(pool: Pool, first: int, limit: int, selector: Selector) -> Page:
    """Events from a position (inclusive) on."""

    async def page(connection: AsyncConnection) -> Page:
        # The head first: what is read afterwards reaches at least to it, and nothing below it is ever missing.
        row = await _row(connection, LOG_END, {})
        last = min(row[0] if row else 0, first + SCAN_POSITIONS - 1)
        values = {"first": first, "last": last, "limit": limit, "most_bytes": PAGE_BYTES, **selected(selector)}
        events = await rows(connection, READ_LOG, values)
        after = events[-1].position + 1 if is_full(events, limit) else max(last + 1, first)
        return Page(events, after)

    return await use(pool, page)


def is_full(events: list[Stored], limit: int) -> bool:
    """Whether a page ends because of its limits, in events or in bytes, so that there may be more."""
    if len(events) == limit:
        return True
    # A character has at most four bytes: only a page that may be full is counted exactly.
    if 4 * sum(len(event.payload) + len(event.metadata) for event in events) < PAGE_BYTES:
        return False
    return sum(len(event.payload.encode()) + len(event.metadata.encode()) for event in events) >= PAGE_BYTES


def selected(selector: Selector) -> dict[str, Any]:
    """A selector as parameters of the statements that read the log."""
    terms = selector.terms
    return {
        "everything": not terms,
        "whole_types": [term.entity_type for term in terms if term.action is None],
        "actions": [term.action for term in terms if term.entity_type is None],
        "event_types": [f"{term.entity_type}.{term.action}" for term in terms if term.entity_type and term.action],
    }


async def rows(connection: AsyncConnection, text: LiteralString, values: dict[str, Any]) -> list[Stored]:
    """Run a statement that answers events."""
    async with connection.cursor(binary=True, row_factory=stored_rows) as cursor:
        await cursor.execute(text, values)
        return await cursor.fetchall()


async def log_head(connection: AsyncConnection) -> Head:
    """The end of the log, on this connection."""
    row = await _row(connection, LOG_HEAD, {})
    return Head(*row) if row else Head(0, 0)


async def _row(connection: AsyncConnection, text: LiteralString, values: dict[str, Any]) -> tuple[Any, ...] | None:
    return await (await connection.execute(text, values)).fetchone()
