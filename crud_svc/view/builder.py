"""Builds the declared indexes beside the consumer, without holding it or readers up."""

from __future__ import annotations

import asyncio
from typing import Any, LiteralString

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import tuple_row

from crud_svc.view.consumer import NAME, PACKAGE, target
from crud_svc.view.indexes import RELATION_PREFIX, create, drop
from eskit import logs
from eskit.consumer.transactions.target import View, open_view
from eskit.postgres.boundary import AWAY
from eskit.postgres.statements import statement
from eskit.settings import Settings

log = logs.get(__name__)

DECLARED = statement(PACKAGE, "declared")
BUILT = statement(PACKAGE, "built")
# Of one session: one process builds at a time, and another may when this one is gone.
LOCK: LiteralString = "SELECT pg_try_advisory_lock(hashtextextended('eskit view indexes ' || current_schema(), 0))"
UNLOCK: LiteralString = "SELECT pg_advisory_unlock(hashtextextended('eskit view indexes ' || current_schema(), 0))"
# Without statistics of an index's expressions the planner would take every filter for a rare one.
ANALYZE: LiteralString = "ANALYZE entities"

EVERY_S = 1.0
# Of all types: each statement on the table locks them all, and the server's locks are everybody's.
MAX_BUILT = 200
FAILED: tuple[type[Exception], ...] = (psycopg.Error, *AWAY)


async def keep_built(settings: Settings) -> None:
    """Until cancelled: build what is declared, drop what is not any more. What is away is waited for."""
    async with open_view(target(settings), settings, f"{NAME} indexes") as view:
        said = ""
        while True:
            try:
                await build(view)
                said = ""
            except FAILED as error:
                # Before the consumer's first start there is no schema; and a build ends when its table is renamed away.
                if said != type(error).__name__:
                    said = type(error).__name__
                    log.warning("indexes cannot be built now", error=said)
            await asyncio.sleep(EVERY_S)


async def build(view: View) -> None:
    """Once. Raises psycopg's errors."""
    async with view.pool.connection() as connection:
        if not (await _rows(connection, LOCK))[0][0]:
            return
        try:
            await _build(connection)
        finally:
            if not connection.closed:
                await connection.execute(UNLOCK)


async def _build(connection: AsyncConnection[Any]) -> None:
    wanted = {relation: (kind, fields) for kind, fields, relation in await _rows(connection, DECLARED)}
    whole = dict(await _rows(connection, BUILT, {"prefix": RELATION_PREFIX}))
    for relation, valid in whole.items():
        if relation not in wanted or not valid:
            await connection.execute(drop(relation))
            log.info("index dropped", index=relation)
    missing = [relation for relation in wanted if not whole.get(relation)]
    room = max(0, MAX_BUILT - sum(map(bool, whole.values())))
    if len(missing) > room:
        log.warning("more indexes are declared than the view takes", declared=len(wanted), most=MAX_BUILT)
    for relation in missing[:room]:
        kind, fields = wanted[relation]
        log.info("building an index", entity_type=kind, fields=fields)
        try:
            await connection.execute(create(kind, fields, relation, concurrently=True))
        except psycopg.DataError as error:  # the others can be built all the same
            log.warning("an index cannot be built", entity_type=kind, fields=fields, error=type(error).__name__)
        else:
            log.info("index built", entity_type=kind, fields=fields)
    if missing[:room]:
        await connection.execute(ANALYZE)


async def _rows(
    connection: AsyncConnection[Any], text: LiteralString, values: dict[str, Any] | None = None
) -> list[tuple[Any, ...]]:
    cursor = connection.cursor(row_factory=tuple_row)
    return await (await cursor.execute(text, values)).fetchall()
