"""Where the log ends in each partition of its topic: what a reader of the topic must have seen to have all of it."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from psycopg import AsyncConnection

from eskit.errors import Unavailable
from eskit.kafka.murmur2 import partition
from eskit.postgres.connections import Pool, use
from eskit.postgres.statements import statement
from eventstore_svc.store.arrays import numbers
from eventstore_svc.store.fetching import Fetcher

SIGNING_KEY = statement("eventstore_svc", "signing_key")

MOST_WAITING = 2000


class Ends(NamedTuple):
    """As of one moment."""

    head: int  # position of the log's last event
    last: tuple[int, ...] | None  # its last position in each partition; None: not known, much has yet to be published


async def ends(fetcher: Fetcher) -> Ends:
    """The log's ends as of now. Raises Unavailable."""
    row = await fetcher.fetch("log_ends", {"most": MOST_WAITING})
    head, partitions = row.number(0, 0), row.number(0, 1)
    if head == 0:
        return Ends(0, ())
    last, waiting = numbers(row.bytes(0, 2)), numbers(row.bytes(0, 3))
    if not partitions or len(last) != partitions or len(waiting) == MOST_WAITING:
        return Ends(head, None)
    ids: list[str] = msgspec.json.decode(row.bytes(0, 4) or b"[]")
    for position, originator_id in zip(waiting, ids, strict=True):
        where = partition(originator_id, partitions)
        last[where] = max(last[where], position)
    return Ends(head, tuple(last))


async def signing_key(pool: Pool) -> bytes:
    """What services of this log sign with: random, made with the log. Raises Unavailable."""

    async def find(connection: AsyncConnection) -> bytes:
        row = await (await connection.execute(SIGNING_KEY)).fetchone()
        if row is None:
            raise Unavailable("The event store's table signing_key is empty: insert a key of 32 random bytes")
        return bytes(row[0])

    return await use(pool, find)
