"""Connections that know their schema and their role: a pool for requests, a single one for what needs its own."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, TypeVar

import psycopg
from psycopg import AsyncConnection
from psycopg.abc import AdaptContext
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import AsyncConnectionPool

from eskit.errors import SchemaMismatch, SettingsError
from eskit.postgres.boundary import boundary, shielded
from eskit.postgres.migrations import Schema, require_schema
from eskit.settings import Settings

T = TypeVar("T")

CONNECT_S = 3


class Pool(AsyncConnectionPool[AsyncConnection]):
    """A pool that knows how long an answer may take."""

    answer_s = 35.0


def answer_s(settings: Settings) -> float:
    """How long to wait for an answer: the server ends a statement itself, unless it stands still."""
    return settings.statement_timeout_s + 5.0


def sever(connection: AsyncConnection) -> None:
    """Break a connection under whoever waits on it, as a network would; the waiter gets an OperationalError."""
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as copy:
        copy.shutdown(socket.SHUT_RDWR)


@contextmanager
def severed_after(connection: AsyncConnection, seconds: float) -> Iterator[None]:
    """A deadline for what is inside. A cancellation would not do: psycopg then waits for the server to confirm it."""
    timer = asyncio.get_running_loop().call_later(seconds, sever, connection)
    try:
        yield
    finally:
        timer.cancel()


def role(schema: Schema, right: str) -> str:
    """The database role that a process works as: `eskit_<schema>_<right>`, made by the schema's migrations."""
    return f"eskit_{schema.name}_{right}"


def conninfo(settings: Settings, schema: Schema, right: str, application: str, *, beside: Schema | None = None) -> str:
    """The connection string of a process: our schema only, its least role, dead peers noticed within seconds.

    `beside`: another schema whose tables are found, too, where ours has none of their name.
    """
    try:
        given = conninfo_to_dict(settings.require("database_url").database_url)
    except psycopg.ProgrammingError:
        raise SettingsError("ESKIT_DATABASE_URL is not a PostgreSQL URL", field="ESKIT_DATABASE_URL") from None
    options = {
        "role": role(schema, right),
        "search_path": ",".join([schema.name, *([beside.name] if beside else []), "pg_temp"]),
        "statement_timeout": f"{settings.statement_timeout_s * 1000:.0f}",
        "idle_in_transaction_session_timeout": f"{settings.statement_timeout_s * 2000:.0f}",
        "timezone": "UTC",
        # append_batch relies on a new snapshot for each statement, whatever the database's default is.
        "default_transaction_isolation": r"read\ committed",
        "jit": "off",  # every statement of ours is short; compiling one takes longer than running it
    }
    ours = {"connect_timeout": CONNECT_S, "keepalives_idle": 10, "keepalives_interval": 3, "keepalives_count": 3,
            "tcp_user_timeout": 15_000, "application_name": application, "client_encoding": "UTF8"}  # fmt: skip
    text = " ".join(f"-c {name}={value}" for name, value in options.items())
    merged: dict[str, Any] = {**ours, **given, "options": f"{given.get('options') or ''} {text}".strip()}
    return make_conninfo("", **merged)


async def connect(info: str, schema: Schema, context: AdaptContext | None = None) -> AsyncConnection:
    """One connection in autocommit; raises Unavailable, or SchemaMismatch when the schema is not ours.

    `context` holds psycopg adapters of the caller's own.
    """
    with boundary():
        try:
            connection = await AsyncConnection.connect(info, autocommit=True, context=context)
        except psycopg.OperationalError as error:
            # A refused connection has no SQLSTATE, only a text, in the server's language: the role's name is in it.
            if role(schema, "") in str(error):
                message = (
                    f"a role of schema {schema.name} is missing, or not granted to this login: run `eskit migrate`"
                )
                raise SchemaMismatch(message) from error
            raise
    try:
        with boundary(), severed_after(connection, CONNECT_S):
            await require_schema(connection, schema)
    except BaseException:
        await connection.close()
        raise
    return connection


@asynccontextmanager
async def open_pool(
    settings: Settings, info: str, schema: Schema, context: AdaptContext | None = None
) -> AsyncIterator[Pool]:
    """A pool in autocommit. It opens without waiting: a service starts, and says 503, while its database is away."""

    async def configure(connection: AsyncConnection) -> None:
        with severed_after(connection, CONNECT_S):
            await require_schema(connection, schema)

    pool = Pool(
        info,
        kwargs={"autocommit": True, "context": context},
        min_size=1,
        max_size=settings.pool_size,
        timeout=settings.pool_wait_s,
        configure=configure,
        # Short, because attempts back off exponentially: after a long outage the next request starts afresh instead.
        reconnect_timeout=3.0,
        open=False,
    )
    pool.answer_s = answer_s(settings)
    await pool.open(wait=False)
    try:
        yield pool
    finally:
        await pool.close(timeout=settings.shutdown_s)


async def use(pool: Pool, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    """Do something that may be done twice with a connection of the pool; raises Unavailable.

    After a restart of the database the pool is full of broken connections. Finding one is no reason to fail a request:
    the pool is cleaned, and the work done again on a new connection. A caller that is cancelled leaves it to its end.
    """
    return await shielded(_use(pool, work))


async def _use(pool: Pool, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    used: AsyncConnection | None = None
    with boundary():
        try:
            async with pool.connection() as used:
                with severed_after(used, pool.answer_s):
                    return await work(used)
        except (psycopg.OperationalError, psycopg.InterfaceError):
            if used is None or not used.closed:
                raise
        await pool.check()
        async with pool.connection() as fresh:
            with severed_after(fresh, pool.answer_s):
                return await work(fresh)


async def check(info: str, schema: Schema) -> None:
    """Connect once and look at the schema: what /readyz says of the database."""
    connection = await connect(info, schema)
    await connection.close()
