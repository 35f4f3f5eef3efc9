"""Waiting for appends: a hint by LISTEN, when it comes; the caller polls as well."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import psycopg
from psycopg import AsyncConnection, sql

from eskit.errors import EskitError
from eskit.postgres.migrations import Schema
from eventstore_svc.store.notices import RETRY_S, channel


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
