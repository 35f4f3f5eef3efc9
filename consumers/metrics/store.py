"""The counts in Postgres, in a schema of their own: added to in the transaction that moves the consumer's offset."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import tuple_row

from consumers.metrics.counts import PartitionCounts, batch, loaded
from eskit.consumer import Record
from eskit.postgres.statements import statement

PACKAGE = "consumers.metrics"
MADE = statement(PACKAGE, "made")
TABLES = statement(PACKAGE, "tables")
LAST = statement(PACKAGE, "last")
UNNAMED = statement(PACKAGE, "unnamed")
LOCK = statement(PACKAGE, "lock")
NAME = statement(PACKAGE, "name")
FOLD = statement(PACKAGE, "fold")
SHOWN = statement(PACKAGE, "shown")

# Every pair is a time series in Prometheus; should somebody make types up without end, it must not pay for that.
MAX_TYPES = 1000
# Both labels of the rest. No event type is called so: each has a dot in it.
OTHER = "other"

Connection = AsyncConnection[Any]


async def prepare(connection: Connection) -> None:
    """Make the tables, if they are not there."""
    if await _rows(connection, MADE) != [(True,)]:
        await connection.execute(TABLES)


async def fold(records: Sequence[Record], connection: Connection, *, max_types: int = MAX_TYPES) -> None:
    """Add records of one partition, inside of the caller's transaction. What is counted already changes nothing."""
    rows = await _rows(connection, LAST, {"partition": records[0].partition})
    new = batch(records, rows[0][0] if rows else 0)
    if new is None:
        return
    types = {
        "entity_types": [kind.entity_type for kind in new.events],
        "event_types": [kind.event_type for kind in new.events],
        "max_types": max_types,
    }
    if await _rows(connection, UNNAMED, types) == [(True,)]:
        await connection.execute(LOCK)
        await connection.execute(NAME, types)
    values = {
        **types,
        "partition": new.partition,
        "last_position": new.last_position,
        "events": list(new.events.values()),
        "crud": [kind.crud for kind in new.events],
        "other": OTHER,
    }
    await connection.execute(FOLD, values)


async def shown(connection: Connection, partitions: Iterable[int]) -> dict[int, PartitionCounts]:
    """What is counted of these partitions; raises psycopg's errors."""
    numbers = sorted(partitions)
    return loaded(await _rows(connection, SHOWN, {"partitions": numbers}), numbers)


async def _rows(connection: Connection, text: Any, values: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
    cursor = connection.cursor(row_factory=tuple_row)
    return await (await cursor.execute(text, values)).fetchall()
