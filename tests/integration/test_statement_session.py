"""The appender's own way to PostgreSQL: large values, errors, connections that end at odd moments."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest
from psycopg import AsyncConnection

from eskit.postgres.connections import sever
from eventstore_svc.store.statement_session import StatementSession
from tests.services import until


@asynccontextmanager
async def session(url: str, text: str) -> AsyncIterator[tuple[StatementSession, AsyncConnection]]:
    """A session with one statement of one parameter."""
    connection = await AsyncConnection.connect(url, autocommit=True)
    opened = StatementSession(connection, 1)
    try:
        await opened.prepare(text)
        yield opened, connection
    finally:
        opened.unwatch()
        await connection.close()


async def test_values_larger_than_any_socket_buffer_go_both_ways(database_url: str) -> None:
    async with session(database_url, "SELECT $1::bytea, octet_length($1::bytea)") as (opened, _):
        for size in (0, 1, 100_000, 30_000_000):
            value = bytes(range(250)) * (size // 250)
            back, length = await opened.execute([value])
            assert (back, length) == (value, struct.pack(">i", len(value)))


async def test_an_error_of_the_server_leaves_the_session_usable(database_url: str) -> None:
    async with session(database_url, "SELECT 10 / $1::integer") as (opened, _):
        with pytest.raises(psycopg.errors.DivisionByZero) as caught:
            await opened.execute([struct.pack(">i", 0)])
        assert caught.value.diag.severity_nonlocalized == "ERROR"
        assert await opened.execute([struct.pack(">i", 5)]) == [struct.pack(">i", 2)]


async def test_null_is_none(database_url: str) -> None:
    async with session(database_url, "SELECT nullif($1::integer, 1)") as (opened, _):
        assert await opened.execute([struct.pack(">i", 1)]) == [None]


async def test_a_statement_that_does_not_parse_is_the_servers_error(database_url: str) -> None:
    with pytest.raises(psycopg.errors.UndefinedFunction):
        async with session(database_url, "SELECT no_such_function($1)"):
            pass


async def test_a_session_ended_by_the_server_says_so_with_its_own_words(database_url: str) -> None:
    async with session(database_url, "SELECT pg_sleep($1::float8)") as (opened, connection):
        waiting = asyncio.create_task(opened.execute([struct.pack(">d", 60.0)]))
        with psycopg.connect(database_url, autocommit=True) as owner:
            pid = connection.info.backend_pid
            query = "SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = %s"
            await until(lambda: owner.execute(query, (pid,)).fetchone() == (True,))
            owner.execute("SELECT pg_terminate_backend(%s)", (pid,))
        with pytest.raises(psycopg.errors.AdminShutdown):
            await waiting
        await until(lambda: opened.closed)


async def test_a_connection_that_breaks_while_idle_is_noticed(database_url: str) -> None:
    async with session(database_url, "SELECT $1::integer") as (opened, connection):
        with psycopg.connect(database_url, autocommit=True) as owner:
            owner.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))
        await until(lambda: opened.closed)
        with pytest.raises(psycopg.OperationalError):
            await opened.execute([struct.pack(">i", 1)])


async def test_a_connection_that_breaks_without_a_word_has_no_sqlstate(database_url: str) -> None:
    """So that its caller knows that nobody knows what became of the statement."""
    async with session(database_url, "SELECT pg_sleep($1::float8)") as (opened, connection):
        waiting = asyncio.create_task(opened.execute([struct.pack(">d", 60.0)]))
        await asyncio.sleep(0)
        sever(connection)
        with pytest.raises(psycopg.OperationalError) as caught:
            await waiting
        assert caught.value.sqlstate is None
        assert opened.closed
