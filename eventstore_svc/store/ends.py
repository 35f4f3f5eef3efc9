"""Where the log ends in each partition of its topic: what a reader of the topic must have seen to have all of it."""

from __future__ import annotations

from typing import NamedTuple

from psycopg import AsyncConnection

from eskit.errors import Unavailable
from eskit.kafka.murmur2 import partition
from eskit.postgres.connections import Pool, use
from eskit.postgres.statements import statement

LOG_ENDS = statement("eventstore_svc", "log_ends")
SIGNING_KEY = statement("eventstore_svc", "signing_key")

MOST_WAITING = 2000


class Ends(NamedTuple):
    """As of one moment."""

    head: int  # position of the log's last event
    last: tuple[int, ...] | None  # its last position in each partition; None: not known, much has yet to be published


async def ends(pool: Pool) -> Ends:
    """The log's ends as of now. Raises Unavailable."""

    async def find(connection: AsyncConnection) -> Ends:
        async with connection.cursor(binary=True) as cursor:
            await cursor.execute(LOG_ENDS, {"most": MOST_WAITING})
            row = await cursor.fetchone()
        head, partitions, known, positions, ids = row or (0, None, None, None, None)
        if head == 0:
            return Ends(0, ())
        if partitions is None or known is None or len(known) != partitions or len(positions or ()) == MOST_WAITING:
            return Ends(head, None)
        last = list(known)
        for position, originator_id in zip(positions or (), ids or (), strict=True):
            where = partition(originator_id, partitions)
            last[where] = max(last[where], position)
        return Ends(head, tuple(last))

    return await use(pool, find)


async def signing_key(pool: Pool) -> bytes:
    """What services of this log sign with: random, made with the log. Raises Unavailable."""

    async def find(connection: AsyncConnection) -> bytes:
        row = await (await connection.execute(SIGNING_KEY)).fetchone()
        if row is None:
            raise Unavailable("The event store's table signing_key is empty: insert a key of 32 random bytes")
        return bytes(row[0])

    return await use(pool, find)
