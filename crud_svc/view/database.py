"""Connections that read the view: its schema alone, read only, each query planned for its own values."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from crud_svc.view.consumer import target
from eskit.errors import InvalidRequest, SettingsError, Unavailable
from eskit.postgres import connections
from eskit.postgres.connections import Pool, use
from eskit.settings import Settings

T = TypeVar("T")
Row = tuple[Any, ...]

_NOT_THERE = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedFunction,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.InsufficientPrivilege,
)


class ViewDatabase:
    """Made by `open_view_database`."""

    def __init__(self, pool: Pool) -> None:
        """Not for callers."""
        self._pool = pool

    async def use(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Read with a connection; may be done twice. Raises Unavailable, also where there is no view yet."""

        async def guarded(connection: AsyncConnection) -> T:
            try:
                return await work(connection)
            except _NOT_THERE as error:
                message = "The entity view is not there: `python -m crud_svc.view` makes and keeps it"
                raise Unavailable(message) from error
            except psycopg.errors.QueryCanceled as error:
                raise Unavailable("The list took too long (ESKIT_STATEMENT_TIMEOUT_S); narrow its filters") from error
            except psycopg.DataError as error:
                raise InvalidRequest("The list compares what cannot be compared; change its filters or sort") from error

        return await use(self._pool, guarded)

    async def rows(self, text: str, values: dict[str, Any]) -> list[Row]:
        """What a query answers."""
        return await self.use(lambda connection: rows(connection, text, values))


async def rows(connection: AsyncConnection, text: str, values: dict[str, Any]) -> list[Row]:
    """What a query answers."""
    return await (await connection.execute(text.encode(), values, prepare=True)).fetchall()


@asynccontextmanager
async def open_view_database(settings: Settings) -> AsyncIterator[ViewDatabase]:
    """Connections to the view of this log. Does not wait for the database. Raises SettingsError."""
    pool = Pool(
        _conninfo(settings),
        kwargs={"autocommit": True},
        min_size=1,
        max_size=settings.pool_size,
        timeout=settings.pool_wait_s,
        reconnect_timeout=3.0,
        open=False,
    )
    pool.answer_s = connections.answer_s(settings)
    await pool.open(wait=False)
    try:
        yield ViewDatabase(pool)
    finally:
        await pool.close(timeout=settings.shutdown_s)


def _conninfo(settings: Settings) -> str:
    url = settings.target_url or settings.require("database_url").database_url
    try:
        given = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise SettingsError("the target is not a PostgreSQL URL", field="ESKIT_TARGET_URL") from None
    options = {
        "search_path": f"{target(settings).schema},pg_temp",
        "statement_timeout": f"{settings.statement_timeout_s * 1000:.0f}",
        "default_transaction_read_only": "on",
        # A plan for any values could use no declared index: each is for one type and for fields, both values here.
        "plan_cache_mode": "force_custom_plan",
        "jit": "off",
    }
    ours = {"connect_timeout": connections.CONNECT_S, "keepalives_idle": 10, "keepalives_interval": 3,
            "keepalives_count": 3, "tcp_user_timeout": 15_000, "application_name": "eskit crud lists",
            "client_encoding": "UTF8"}  # fmt: skip
    text = " ".join(f"-c {name}={value}" for name, value in options.items())
    merged: dict[str, Any] = {**ours, **given, "options": f"{given.get('options') or ''} {text}".strip()}
    return make_conninfo("", **merged)
