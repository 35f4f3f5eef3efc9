"""Dead letters on Postgres: what owners set aside and work off, what people look at, want back or throw away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, LiteralString, NamedTuple

import msgspec
from psycopg import AsyncConnection

from eskit.errors import Fenced, NotFound
from eskit.letters import (
    Cause,
    DiscardLetters,
    Done,
    FailedAgain,
    Header,
    Kept,
    Letter,
    Owner,
    ParkedKey,
    RetryLetters,
    Unpark,
)
from eskit.postgres.statements import statement
from offsets_svc.store.consumers import text
from offsets_svc.store.database import Database, Row, rows
from offsets_svc.store.resets import Hand, note

ADD = statement("offsets_svc", "letters_add")
DONE = statement("offsets_svc", "letters_done")
FAILED = statement("offsets_svc", "letters_failed")
UNPARK = statement("offsets_svc", "letters_unpark")
LIST = statement("offsets_svc", "letters_list")
OF_KEY = statement("offsets_svc", "letters_of_key")
ONE = statement("offsets_svc", "letter")
PARKED = statement("offsets_svc", "parked")
RETRY = statement("offsets_svc", "letters_retry")
DISCARD = statement("offsets_svc", "letters_discard")
CONSUMERS = statement("offsets_svc", "letters_consumers")

_headers = msgspec.json.Decoder(list[Header])


class Place(NamedTuple):
    """Where a page begins: behind this."""

    topic: str = ""
    partition: int = -1
    offset: int = -1
    key: str = ""


class Wanted(NamedTuple):
    """Which letters or keys."""

    topic: str | None = None
    partition: int | None = None
    key: str | None = None
    failed: bool | None = None
    retry: bool | None = None


async def add(database: Database, consumer: str, owner: Owner, letters: Sequence[Letter]) -> int:
    """Set records aside. Raises Fenced, Unavailable."""
    values = {
        **_owned(consumer, owner),
        "offsets": [x.offset for x in letters],
        "keys": [x.key for x in letters],
        "failed": [x.failed for x in letters],
        "positions": [x.position for x in letters],
        "event_types": [x.event_type for x in letters],
        "event_ids": [x.event_id for x in letters],
        "error_types": [x.cause.error_type for x in letters],
        "errors": [x.cause.error for x in letters],
        "hashes": [x.cause.traceback_hash for x in letters],
        "attempts": [x.cause.attempts for x in letters],
        "values": [x.value for x in letters],
        "headers": [msgspec.json.encode(x.headers) for x in letters],
    }
    await _as_owner(database, ADD, values, owner)
    return len(letters)


async def done(database: Database, consumer: str, given: Done) -> None:
    """Forget a letter that has had its effect. Raises Fenced, Unavailable."""
    await _as_owner(database, DONE, {**_owned(consumer, given.owner), "offset": given.offset}, given.owner)


async def failed(database: Database, consumer: str, given: FailedAgain) -> None:
    """A letter has failed again. Raises Fenced, Unavailable."""
    cause = given.cause
    values = {
        **_owned(consumer, given.owner),
        "offset": given.offset,
        "key": given.key,
        "error_type": cause.error_type,
        "error": cause.error,
        "hash": cause.traceback_hash,
        "attempts": cause.attempts,
    }
    await _as_owner(database, FAILED, values, given.owner)


async def unpark(database: Database, consumer: str, given: Unpark) -> bool:
    """Let a key go; False while letters of it are left. Raises Fenced, Unavailable."""
    row = await _as_owner(database, UNPARK, {**_owned(consumer, given.owner), "key": given.key}, given.owner)
    return bool(row[1])


async def page(
    database: Database, consumer: str, wanted: Wanted, after: Place, limit: int, *, records: bool
) -> list[Kept]:
    """Letters in the order of their place."""
    text_: LiteralString = LIST if wanted.key is None else OF_KEY
    values = {**_page(consumer, wanted, after, limit), "after_offset": after.offset, "failed": wanted.failed,
              "key": wanted.key, "records": records}  # fmt: skip
    return [_kept(row) for row in await database.rows(text_, values)]


async def one(database: Database, consumer: str, topic: str, partition: int, offset: int) -> Kept:
    """One letter with its record; raises NotFound."""
    values = {"consumer": consumer, "topic": topic, "partition": partition, "offset": offset}
    found = await database.rows(ONE, values)
    if not found:
        raise NotFound(f"{consumer} has set aside nothing at offset {offset} of {topic} {partition}")
    return _kept(found[0])


async def parked(
    database: Database, consumer: str, wanted: Wanted, after: Place, limit: int, *, count: bool
) -> list[ParkedKey]:
    """Keys that wait, in the order of their place. `count`: with the number of their letters."""
    values = {**_page(consumer, wanted, after, limit), "after_key": after.key, "retry": wanted.retry, "count": count}
    return [
        ParkedKey(row[0], row[1], row[2], row[3], row[4], text(row[5]), row[6])
        for row in await database.rows(PARKED, values)
    ]


async def retry(database: Database, consumer: str, wanted: RetryLetters) -> int:
    """Mark keys, for the owners of their partitions to handle their letters again; how many."""
    return len(await database.rows(RETRY, {"consumer": consumer, "all": wanted.all, "keys": wanted.keys}))


async def discard(database: Database, consumer: str, given: DiscardLetters) -> int:
    """Throw letters away, with a trace, and let what waited behind them be handled; how many."""

    async def work(connection: AsyncConnection) -> int:
        values = {"consumer": consumer, "key": given.key, "all": given.all, "offsets": given.offsets}
        gone = await rows(connection, DISCARD, values)
        if gone:
            what = f"discard {len(gone)} letters of {given.key or 'unreadable records'}"
            trace = [{"topic": r[0], "partition": r[1], "offset": r[2], "event_id": r[3]} for r in gone[:1000]]
            await note(connection, consumer, gone[0][0], what, Hand(given.by, given.reason), trace)
        return len(gone)

    return await database.transaction(work)


async def consumers(database: Database, limit: int) -> dict[str, int]:
    """The consumers that have set anything aside, with the number of keys that wait."""
    return dict(await database.rows(CONSUMERS, {"limit": limit}))


async def _as_owner(database: Database, text_: LiteralString, values: dict[str, Any], owner: Owner) -> Row:
    [row] = await database.rows(text_, values)
    if row[0] == 0:
        raise Fenced(f"{owner.topic} {owner.partition}: epoch {owner.epoch} is not its epoch", epoch=0)
    return row


def _owned(consumer: str, owner: Owner) -> dict[str, Any]:
    return {"consumer": consumer, "topic": owner.topic, "partition": owner.partition, "epoch": owner.epoch}


def _page(consumer: str, wanted: Wanted, after: Place, limit: int) -> dict[str, Any]:
    return {"consumer": consumer, "topic": wanted.topic, "partition": wanted.partition, "limit": limit,
            "after_topic": after.topic, "after_partition": after.partition}  # fmt: skip


def _kept(row: Row) -> Kept:
    return Kept(
        topic=row[0],
        partition=row[1],
        offset=row[2],
        key=row[3],
        failed=row[4],
        position=row[5],
        event_type=row[6],
        event_id=row[7],
        cause=Cause(error_type=row[8], error=row[9], traceback_hash=row[10], attempts=row[11]),
        set_aside_at=text(row[12]),
        value=row[13],
        headers=None if row[14] is None else _headers.decode(row[14]),
    )
