"""The service's database: each call is one statement, or one transaction of a few."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, LiteralString, TypeVar

from psycopg import AsyncConnection

from eskit.postgres import connections
from eskit.postgres.boundary import boundary, shielded
from eskit.postgres.connections import Pool
from eskit.postgres.migrations import Schema
from eskit.settings import Settings

T = TypeVar("T")
Row = tuple[Any, ...]


def schema(settings: Settings) -> Schema:
    """The schema of this log's offsets."""
    return Schema(settings.schema("offsets"), "offsets_svc")


async def rows(connection: AsyncConnection, text: LiteralString, values: dict[str, Any]) -> list[Row]:
    """What a statement answers."""
    return await (await connection.execute(text, values)).fetchall()


class Database:
    """Made by `open_database`."""

    def __init__(self, pool: Pool, info: str, settings: Settings) -> None:
        """Not for callers: use `open_database`."""
        self._pool = pool
        self._info = info
        self._settings = settings

    async def rows(self, text: LiteralString, values: dict[str, Any]) -> list[Row]:
        """What a statement answers. Raises Unavailable. To its end, also when the caller is cancelled."""
        return await shielded(self._rows(text, values))

    async def _rows(self, text: LiteralString, values: dict[str, Any]) -> list[Row]:
        with boundary():
            async with self._pool.connection() as connection:
                return await rows(connection, text, values)

    async def transaction(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Several statements, all or nothing. Raises Unavailable."""
        return await shielded(self._transaction(work))

    async def _transaction(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        with boundary():
            async with self._pool.connection() as connection, connection.transaction():
                return await work(connection)

    async def check(self) -> None:
        """Raises what keeps the service from working: the database is away, or its schema is not ours."""
        await connections.check(self._info, schema(self._settings))


@asynccontextmanager
async def open_database(settings: Settings, application: str) -> AsyncIterator[Database]:
    """Connections of the service. Opens without waiting for the database."""
    ours = schema(settings)
    info = connections.conninfo(settings, ours, "writer", application)
    async with connections.open_pool(settings, info, ours) as pool:
        yield Database(pool, info, settings)
