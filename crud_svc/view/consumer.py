"""The consumer that keeps the view: each event of the log has its effect once, in the transaction of its offset."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec
from psycopg import AsyncConnection, sql
from psycopg.rows import tuple_row

from crud_svc.view.indexes import DECLARATIONS, DECLARED, change, create
from crud_svc.view.projection import Kept, Stream, folded, unknown
from eskit.consumer import Consumer, Event, Retry, Target, Tuning
from eskit.postgres.statements import statement
from eskit.settings import Settings, load

PACKAGE = "crud_svc.view"
NAME = "entity-view"
MADE = statement(PACKAGE, "made")
TABLES = statement(PACKAGE, "tables")
STATES = statement(PACKAGE, "states")
STORE = statement(PACKAGE, "store")
DECLARE = statement(PACKAGE, "declare")
UNDECLARE = statement(PACKAGE, "undeclare")
FIRST_DECLARED = statement(PACKAGE, "first_declared")

Connection = AsyncConnection[Any]

_encode = msgspec.json.Encoder().encode


def target(settings: Settings) -> Target:
    """Where the view is."""
    return Target(settings.schema("entity_view"))


def projecting(settings: Settings) -> Consumer:
    """The consumer that keeps the view of a log."""
    consumer = Consumer(
        NAME,
        transaction=target(settings),
        instance_id=settings.view_instance or None,
        # What is set aside would be missing from the view: whatever is wrong with the database is waited out.
        on_error={BaseException: Retry(attempts=None)},
        tuning=Tuning(batch_events=1000),
    )
    consumer.on_schema(partial(prepare, settings.schema("entity_view")))
    consumer.on_batch()(project)
    return consumer


def __getattr__(name: str) -> Consumer:
    """`entity_view`, for `eskit rebuild`: made from the environment when it is asked for."""
    if name == "entity_view":
        return projecting(load())
    raise AttributeError(name)


async def prepare(first: str, connection: Connection) -> None:
    """Make the tables where they are missing.

    A copy gets the indexes of the `first` view at once: built while it is empty, they are there when it takes over.
    """
    if await _rows(connection, MADE) == [(True,)]:
        return
    await connection.execute(TABLES)
    for (text,) in await _rows(connection, FIRST_DECLARED, {"schema": first}):
        for entity_type, fields, relation in await _rows(connection, sql.SQL(text)):
            await connection.execute(create(entity_type, fields, relation, concurrently=False))


async def project(events: list[Event], connection: Connection) -> None:
    """What the events of one partition make of entities, inside of the caller's transaction."""
    by_streams = unknown(events)
    known: dict[Stream, Kept] = {}
    if by_streams:
        streams = [{"entity_type": stream.entity_type, "id": stream.id} for stream in by_streams]
        rows = await _rows(connection, STATES, {"streams": _encode(streams).decode()})
        known = {Stream(row[0], row[1]): Kept(*row) for row in rows}
    if changed := folded(events, known):
        # One JSON text, unpacked there: the driver takes several times as long for lists.
        await connection.execute(STORE, {"rows": _encode(changed).decode()})
    await _declare([event for event in events if event.entity_type == DECLARATIONS], connection)


async def _declare(events: Sequence[Event], connection: Connection) -> None:
    last: dict[tuple[str, str], dict[str, Any]] = defaultdict(dict)
    for event in events:
        index = change(event.action, bytes(event.payload))
        if index is None:
            continue
        kind = event.originator.id
        values = {"entity_type": kind, "name": index.name, "fields": index.texts, "relation": index.relation(kind)}
        last[kind, index.name] = {"text": DECLARE if event.action == DECLARED else UNDECLARE, "values": values}
    for step in last.values():
        await connection.execute(step["text"], step["values"])


async def _rows(connection: Connection, text: Any, values: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
    cursor = connection.cursor(row_factory=tuple_row)
    return await (await cursor.execute(text, values)).fetchall()
