"""The appender's own way to PostgreSQL: large values, errors, connections that end at odd moments."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import psycopg
import pytest
import uvloop
from psycopg import AsyncConnection, pq

from eskit.postgres.connections import sever
from eventstore_svc.store.statement_session import StatementSession
from tests.services import until

NAME = "asked"
BINARY = [pq.Format.BINARY]


async def ask(session: StatementSession, value: bytes) -> list[bytes | None]:
    """The row that the statement answers."""
    result = await session.execute(NAME, [value], BINARY)
    return [result.get_value(0, column) for column in range(result.nfields)]


@asynccontextmanager
async def session(url: str, text: str) -> AsyncIterator[tuple[StatementSession, AsyncConnection]]:
    """A session with one statement of one parameter."""
    connection = await AsyncConnection.connect(url, autocommit=True)
    opened = StatementSession(connection)
    opened.watch()
    try:
        await opened.prepare(NAME, text)
        yield opened, connection
    finally:
        opened.unwatch()
        await connection.close()


async def test_values_larger_than_any_socket_buffer_go_both_ways(database_url: str) -> None:
    async with session(database_url, "SELECT $1::bytea, octet_length($1::bytea)") as (opened, _):
        for size in (0, 1, 100_000, 30_000_000):
            value = bytes(range(250)) * (size // 250)
            back, length = await ask(opened, value)
            assert (back, length) == (value, struct.pack(">i", len(value)))


async def test_an_error_of_the_server_leaves_the_session_usable(database_url: str) -> None:
    async with session(database_url, "SELECT 10 / $1::integer") as (opened, _):
        with pytest.raises(psycopg.errors.DivisionByZero) as caught:
            await ask(opened, struct.pack(">i", 0))
        assert caught.value.diag.severity_nonlocalized == "ERROR"
        assert await ask(opened, struct.pack(">i", 5)) == [struct.pack(">i", 2)]


async def test_null_is_none(database_url: str) -> None:
    async with session(database_url, "SELECT nullif($1::integer, 1)") as (opened, _):
        assert await ask(opened, struct.pack(">i", 1)) == [None]


async def test_a_statement_that_does_not_parse_is_the_servers_error(database_url: str) -> None:
    with pytest.raises(psycopg.errors.UndefinedFunction):
        async with session(database_url, "SELECT no_such_function($1)"):
            pass


async def test_a_session_ended_by_the_server_says_so_with_its_own_words(database_url: str) -> None:
    async with session(database_url, "SELECT pg_sleep($1::float8)") as (opened, connection):
        waiting = asyncio.create_task(ask(opened, struct.pack(">d", 60.0)))
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
            await ask(opened, struct.pack(">i", 1))


async def test_a_connection_that_breaks_without_a_word_has_no_sqlstate(database_url: str) -> None:
    """So that its caller knows that nobody knows what became of the statement."""
    async with session(database_url, "SELECT pg_sleep($1::float8)") as (opened, connection):
        waiting = asyncio.create_task(ask(opened, struct.pack(">d", 60.0)))
        await asyncio.sleep(0)
        sever(connection)
        with pytest.raises(psycopg.OperationalError) as caught:
            await waiting
        assert caught.value.sqlstate is None
        assert opened.closed


@asynccontextmanager
async def resetting(url: str) -> AsyncIterator[tuple[str, Callable[[], None]]]:
    """A way to the server, and what resets all connections that go it: no word, no end, as a firewall does it."""
    parts = psycopg.conninfo.conninfo_to_dict(url)
    ends: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, to_there = await asyncio.open_connection(str(parts["host"]), str(parts["port"]))
        ends.append(writer)

        async def pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            with suppress(ConnectionError):
                while data := await source.read(65_536):
                    target.write(data)
            target.close()

        await asyncio.gather(pass_on(reader, to_there), pass_on(there, writer))

    def reset() -> None:
        for writer in ends:
            # Nothing is sent, and what is on its way is thrown away.
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield psycopg.conninfo.make_conninfo(url, host="127.0.0.1", port=port), reset


LOOPS = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
NewLoop = Callable[[], asyncio.AbstractEventLoop]


@LOOPS
def test_a_reset_is_noticed_by_every_event_loop(database_url: str, loop: NewLoop) -> None:
    async def run() -> None:
        async with resetting(database_url) as (way, reset), session(way, "SELECT pg_sleep($1::float8)") as (opened, _):
            waiting = asyncio.create_task(ask(opened, struct.pack(">d", 60.0)))
            await asyncio.sleep(0.1)
            reset()
            with pytest.raises(psycopg.OperationalError) as caught:
                await asyncio.wait_for(waiting, 10)
            assert caught.value.sqlstate is None
            assert opened.closed

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(run())


@LOOPS
def test_a_question_to_a_session_that_was_ended_has_an_end(database_url: str, loop: NewLoop) -> None:
    """Nobody watched while the server ended it: the question itself is answered by a reset."""

    async def run() -> None:
        async with session(database_url, "SELECT $1::integer") as (opened, connection):
            opened.unwatch()
            with psycopg.connect(database_url, autocommit=True) as owner:
                owner.execute("SELECT pg_terminate_backend(%s, 5000)", (connection.info.backend_pid,))
            # Without a turn of the event loop between them: so uvloop sees the end of the connection as an error only.
            opened.watch()
            async with asyncio.timeout(10):
                with pytest.raises(psycopg.OperationalError):
                    await ask(opened, struct.pack(">i", 1))

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(run())


FATAL = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0"


@LOOPS
def test_a_reset_right_behind_the_servers_last_word_is_noticed(loop: NewLoop) -> None:
    """A backend that ends with a question of ours unread: both arrive before the event loop looks again."""

    async def run() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        running = asyncio.get_running_loop()
        url = f"host=127.0.0.1 port={listener.getsockname()[1]} sslmode=disable gssencmode=disable user=x"
        connecting = asyncio.create_task(AsyncConnection.connect(url, autocommit=True))
        server, _ = await running.sock_accept(listener)
        await running.sock_recv(server, 1000)
        server.sendall(b"R\0\0\0\x08\0\0\0\0" + b"Z\0\0\0\x05I")  # it is let in
        connection = await connecting
        opened = StatementSession(connection)
        opened.watch()
        asked = asyncio.create_task(ask(opened, b"\0\0\0\0"))
        await asyncio.sleep(0)  # it has sent its question
        server.sendall(b"E" + (len(FATAL) + 4).to_bytes(4, "big") + FATAL)
        server.close()  # with something unread, that is a reset
        with pytest.raises(psycopg.errors.AdminShutdown):
            await asyncio.wait_for(asked, 10)
        assert opened.closed
        await connection.close()
        listener.close()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(run())
