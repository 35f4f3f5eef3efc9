"""Dead letters on Postgres, as people look at them and owners take them up: page by page, each by an index."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from eskit.errors import NotFound
from eskit.letters import Cause, Header, Kept, LettersPage, ParkedKey, ParkedKeys
from eskit.offsets import MAX_NUMBER, MAX_PARTITION
from eskit.postgres.statements import statement
from offsets_svc.store.consumers import text
from offsets_svc.store.database import Database, Row

LIST = statement("offsets_svc", "letters_list")
OF_KEY = statement("offsets_svc", "letters_of_key")
PLACES = statement("offsets_svc", "letters_places")
ONE = statement("offsets_svc", "letter")
PARKED = statement("offsets_svc", "parked")
WANTED = statement("offsets_svc", "parked_wanted")
CONSUMERS = statement("offsets_svc", "letters_consumers")

# A page with records is full with so many bytes of them: the letter that makes it full is in it.
PAGE_BYTES = 4 * 1024 * 1024
# Behind every name that a topic can have, and behind all keys but the strangest.
LAST_TOPIC = "~"
LAST_KEY = "\U0010ffff"

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


async def page(
    database: Database, consumer: str, wanted: Wanted, after: Place, limit: int, *, records: bool
) -> LettersPage:
    """Letters in the order of their place."""
    values = {**_bounds(consumer, wanted, after), "failed": wanted.failed, "key": wanted.key,
              "records": records, "bytes": PAGE_BYTES}  # fmt: skip
    found: list[Row] = []
    if wanted.key is None:
        found = await database.rows(LIST, {**values, "limit": limit})
    else:
        for topic, partition in await _places(database, wanted, after, values):
            begin = after.offset if (topic, partition) == after[:2] else -1
            place = {"topic": topic, "partition": partition, "after_offset": begin, "limit": limit - len(found)}
            found += await database.rows(OF_KEY, {**values, **place})
            if _full(found, limit):
                break
    following = f"{found[-1][0]}/{found[-1][1]}/{found[-1][2]}" if found and _full(found, limit) else None
    return LettersPage([_kept(row) for row in found], following)


async def _places(database: Database, wanted: Wanted, after: Place, values: dict[str, Any]) -> list[Row]:
    if wanted.topic is not None and wanted.partition is not None:
        place = (wanted.topic, wanted.partition)
        return [place] if after[:2] <= place else []
    return await database.rows(PLACES, values)


def _full(found: list[Row], limit: int) -> bool:
    return len(found) >= limit or sum(len(row[13] or b"") + len(row[14] or b"") for row in found) >= PAGE_BYTES


async def one(database: Database, consumer: str, topic: str, partition: int, offset: int) -> Kept:
    """One letter with its record; raises NotFound."""
    values = {"consumer": consumer, "topic": topic, "partition": partition, "offset": offset}
    found = await database.rows(ONE, values)
    if not found:
        raise NotFound(f"{consumer} has set aside nothing at offset {offset} of {topic} {partition}")
    return _kept(found[0])


async def parked(
    database: Database, consumer: str, wanted: Wanted, after: Place, limit: int, *, count: bool
) -> ParkedKeys:
    """Keys that wait, in the order of their place. `count`: with the number of their letters."""
    values = {**_bounds(consumer, wanted, after), "retry": wanted.retry, "count": count, "limit": limit}
    found = [
        ParkedKey(row[0], row[1], row[2], row[3], row[4], text(row[5]), row[6])
        for row in await database.rows(WANTED if wanted.retry else PARKED, values)
    ]
    following = f"{found[-1].topic}/{found[-1].partition}/{found[-1].key}" if len(found) == limit else None
    return ParkedKeys(found, following)


async def consumers(database: Database, limit: int) -> dict[str, int]:
    """The consumers that have set anything aside, with the number of keys that wait."""
    return dict(await database.rows(CONSUMERS, {"limit": limit}))


def _bounds(consumer: str, wanted: Wanted, after: Place) -> dict[str, Any]:
    """From where to where an index is read: not the rest of a consumer, where one topic or partition is wanted."""
    number = wanted.partition if wanted.topic is not None else None
    begin = after
    if wanted.topic is not None and after[:2] < (wanted.topic, number or 0):
        # Behind the partition before, because the first key of a partition may be the empty one.
        begin = Place(wanted.topic, -1 if number is None else number - 1, MAX_NUMBER, LAST_KEY)
    return {
        "consumer": consumer,
        "topic": wanted.topic,
        "partition": wanted.partition,
        "after_topic": begin.topic,
        "after_partition": begin.partition,
        "after_offset": begin.offset,
        "after_key": begin.key,
        "last_topic": LAST_TOPIC if wanted.topic is None else wanted.topic,
        "last_partition": MAX_PARTITION if number is None else number,
    }


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
