"""Notices: a hint to readers that the log has grown, sent beside the append and coalesced. Who misses one polls."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import psycopg
from psycopg import AsyncConnection

from eskit.errors import EskitError
from eskit.postgres.migrations import Schema

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
    while True:
        await committed.wait()
        committed.clear()
        await connection.execute("SELECT pg_notify(%s, '')", (channel(schema),))
        await asyncio.sleep(PAUSE_S)
