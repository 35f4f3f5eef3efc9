"""Dead letters on Postgres: what owners set aside and work off, what people want back or throw away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, LiteralString, NoReturn

import msgspec
from psycopg import AsyncConnection

from eskit.errors import Fenced
from eskit.letters import DiscardLetters, Done, FailedAgain, Letter, Owner, RetryLetters, Unpark
from eskit.postgres.statements import statement
from offsets_svc.store.database import Database, rows
from offsets_svc.store.resets import Hand, note

ADD = statement("offsets_svc", "letters_add")
DONE = statement("offsets_svc", "letters_done")
FAILED = statement("offsets_svc", "letters_failed")
UNPARK = statement("offsets_svc", "letters_unpark")
EPOCH = statement("offsets_svc", "epoch")
HOLD_OWNED = statement("offsets_svc", "letters_hold_owned")
HOLD = statement("offsets_svc", "letters_hold")
RETRY = statement("offsets_svc", "letters_retry")
DISCARD = statement("offsets_svc", "letters_discard")

# Letters that one row of the trace names; it has the number of all.
TRACED = 1000


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
    await _as_owner(database, ADD, values)
    return len(letters)


async def done(database: Database, consumer: str, given: Done) -> None:
    """Forget a letter that has had its effect. Raises Fenced, Unavailable."""
    await _as_owner(database, DONE, {**_owned(consumer, given.owner), "offset": given.offset})


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
    await _as_owner(database, FAILED, values)


async def unpark(database: Database, consumer: str, given: Unpark) -> bool:
    """Let a key go; False while letters of it are left. Raises Fenced, Unavailable."""
    values = {**_owned(consumer, given.owner), "key": given.key}

    async def work(connection: AsyncConnection) -> bool:
        [(owner, _)] = await rows(connection, HOLD_OWNED, values)
        if not owner:
            await _raise_fenced(connection, values)
        [(gone,)] = await rows(connection, UNPARK, values)
        return bool(gone)

    return await database.transaction(work)


async def retry(database: Database, consumer: str, wanted: RetryLetters) -> int:
    """Mark keys, for the owners of their partitions to handle their letters again; how many."""
    [(keys,)] = await database.rows(RETRY, {"consumer": consumer, "all": wanted.all, "keys": wanted.keys})
    return int(keys)


async def discard(database: Database, consumer: str, given: DiscardLetters) -> int:
    """Throw letters away, with a trace, and let what waited behind them be handled; how many."""
    values = {"consumer": consumer, **msgspec.structs.asdict(given)}

    async def work(connection: AsyncConnection) -> int:
        count = 0
        for topic, partition in await rows(connection, HOLD, values):
            place = {"topic": topic, "partition": partition}
            gone = await rows(connection, DISCARD, {**values, **place})
            count += len(gone)
            if gone:
                what = f"discard {len(gone)} letters of {given.key or 'unreadable records'}"
                trace = [{**place, "offset": row[0], "event_id": row[1]} for row in gone[:TRACED]]
                await note(connection, consumer, topic, what, Hand(given.by, given.reason), trace)
        return count

    return await database.transaction(work)


async def _as_owner(database: Database, text: LiteralString, values: dict[str, Any]) -> None:
    async def work(connection: AsyncConnection) -> None:
        [(owner,)] = await rows(connection, text, values)
        if not owner:
            await _raise_fenced(connection, values)

    await database.transaction(work)


async def _raise_fenced(connection: AsyncConnection, values: dict[str, Any]) -> NoReturn:
    found = await rows(connection, EPOCH, values)
    message = f"{values['topic']} {values['partition']}: epoch {values['epoch']} is not its epoch"
    raise Fenced(message, epoch=found[0][0] if found else 0)


def _owned(consumer: str, owner: Owner) -> dict[str, Any]:
    return {"consumer": consumer, "topic": owner.topic, "partition": owner.partition, "epoch": owner.epoch}
