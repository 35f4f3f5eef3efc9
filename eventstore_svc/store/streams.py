"""What streams there are, and where each begins and ends."""

from __future__ import annotations

from typing import NamedTuple

from psycopg import AsyncConnection

from eskit.postgres.connections import Pool, use
from eskit.postgres.statements import statement
from eventstore_svc.store.arrays import MICROS_2000
from eventstore_svc.store.pages import unknown_stream

STREAM_INFO = statement("eventstore_svc", "stream_info")
STREAMS = statement("eventstore_svc", "streams")


class StreamInfo(NamedTuple):
    """A stream's two ends; it has as many events as its version says. Times in microseconds since 1970."""

    entity_type: str
    originator_id: str
    version: int
    first_position: int
    last_position: int
    first_recorded_us: int
    last_recorded_us: int


async def info(pool: Pool, stream: tuple[str, str]) -> StreamInfo:
    """Of one stream; raises NotFound."""

    async def find(connection: AsyncConnection) -> StreamInfo:
        values = {"entity_type": stream[0], "originator_id": stream[1]}
        async with connection.cursor(binary=True) as cursor:
            await cursor.execute(STREAM_INFO, values)
            row = await cursor.fetchone()
        if row is None:
            raise unknown_stream(stream)
        return _info((*stream, *row))

    return await use(pool, find)


async def after(pool: Pool, place: tuple[str, str], only_type: str | None, limit: int) -> list[StreamInfo]:
    """The streams after a place (entity type, id) in their order; each costs a few steps down an index."""
    values = {"after_type": place[0], "after_id": place[1], "only_type": only_type, "limit": limit}

    async def find(connection: AsyncConnection) -> list[StreamInfo]:
        async with connection.cursor(binary=True) as cursor:
            await cursor.execute(STREAMS, values)
            return [_info(row) for row in await cursor.fetchall()]

    return await use(pool, find)


def _info(row: tuple[str, str, int, int, int, int, int]) -> StreamInfo:
    return StreamInfo(*row[:5], row[5] + MICROS_2000, row[6] + MICROS_2000)
