"""Notices: a hint that the log has grown, sent beside the append and coalesced. Who waits for one polls as well."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import psycopg
from psycopg import AsyncConnection, sql

from eskit.errors import EskitError
from eskit.postgres.migrations import Schema
from eventstore_svc.store.statement_session import StatementSession

PAUSE_S = 0.01
RETRY_S = 1.0


def channel(schema: Schema) -> str:
    """The NOTIFY channel of a log."""
    return f"eskit_{schema.name}"


async def send(connect: Callable[[], Awaitable[AsyncConnection]], schema: Schema, committed: asyncio.Event) -> None:
    """Tell of commits until cancelled. A failure costs readers a poll interval, nothing else."""
    while True:
        with suppress(psycopg.Error, EskitError):
            connection = await connect()
            try:
                await _send(connection, schema, committed)
            finally:
                await connection.close()
        await asyncio.sleep(RETRY_S)


async def _send(connection: AsyncConnection, schema: Schema, committed: asyncio.Event) -> None:
    # A notice is a commit of its own: without this it would wait for the disk.
    await connection.execute("SET synchronous_commit = off")
    session = StatementSession(connection)
    with session.watched():
        await session.prepare("notify", "SELECT pg_notify($1, '')")
        while True:
            await committed.wait()
            committed.clear()
            await session.execute("notify", [channel(schema).encode()])
            await asyncio.sleep(PAUSE_S)


class Notice:
    """Tells one waiter that the log has grown."""

    def __init__(self, connect: Callable[[], Awaitable[AsyncConnection]], schema: Schema) -> None:
        """Nothing is connected before `listen`."""
        self._connect = connect
        self._schema = schema
        self._grown = asyncio.Event()

    async def listen(self) -> None:
        """Listen until cancelled. While the database is away there are no hints, only polls."""
        while True:
            with suppress(psycopg.Error, EskitError):
                connection = await self._connect()
                try:
                    await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel(self._schema))))
                    async for _ in connection.notifies():
                        self._grown.set()
                finally:
                    await connection.close()
            await asyncio.sleep(RETRY_S)

    async def wait(self, timeout_s: float) -> None:
        """Return at a notice, or after `timeout_s`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._grown.wait()
        self._grown.clear()
