"""Consumers as people and dashboards see them: how far each has come, how far it is behind, who works on it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby

from eskit import logs, times
from eskit.errors import EskitError, NotFound
from eskit.offsets import ConsumerState, History, HistoryPoint, PartitionState
from eskit.postgres.statements import statement
from offsets_svc.store.database import Database, Row
from offsets_svc.topics.asking import At, Record
from offsets_svc.topics.ends import Lag

CONSUMERS = statement("offsets_svc", "consumers")
HISTORY = statement("offsets_svc", "history")
THIN_HISTORY = statement("offsets_svc", "thin_history")
TOPICS = statement("offsets_svc", "topics")

# A member sends a sign of life every thirty seconds.
ALIVE_S = 60.0
NOT_YET = "the topic was not looked at yet, or a record not read yet: ask again"
THIN_S = 60.0

log = logs.get(__name__)


async def page(database: Database, after: str, limit: int) -> list[Row]:
    """Rows of consumers by name, those after `after`, for `states`. Raises Unavailable."""
    return await database.rows(CONSUMERS, {"name": None, "after": after, "limit": limit})


async def one(database: Database, name: str) -> list[Row]:
    """The rows of one consumer, for `states`; raises NotFound, Unavailable."""
    found = await database.rows(CONSUMERS, {"name": name, "after": "", "limit": 1})
    if not found:
        raise NotFound(f"There is no consumer {name}: it has claimed and committed nothing yet")
    return found


async def topics(database: Database, limit: int) -> list[str]:
    """The topics that consumers have, so many at most. Raises Unavailable."""
    return [topic for (topic,) in await database.rows(TOPICS, {"limit": limit})]


async def history(
    database: Database, name: str, topic: str, *, partition: int | None, since: datetime | None, limit: int
) -> History:
    """How offsets have moved; without `since`, in the last hour."""
    values = {"consumer": name, "topic": topic, "partition": partition, "limit": limit,
              "since": since or datetime.now(UTC) - timedelta(hours=1)}  # fmt: skip
    rows = await database.rows(HISTORY, values)
    return History([HistoryPoint(row[0], text(row[1]), row[2], row[3]) for row in rows])


async def keep_thin(database: Database) -> None:
    """Thin the history now and then, until cancelled."""
    while True:
        try:
            await database.rows(THIN_HISTORY, {})
        except EskitError as error:
            log.warning("the history could not be thinned", error=error.detail)
        await asyncio.sleep(THIN_S)


def places(rows: Sequence[Row]) -> list[Record]:
    """Where the consumers of these rows stand: the lag is asked for these."""
    return [Record(At(row[3], row[4]), row[5]) for row in rows if row[5] is not None]


def states(rows: Sequence[Row], lags: Mapping[Record, Lag], reason: str | None) -> list[ConsumerState]:
    """One for each name, from rows that have the name, two times, and a partition's columns (NULL: no partition).

    `reason`: why the lag of what is not in `lags` is not known.
    """
    found = []
    for (name, created_at, last_seen), group in groupby(rows, key=lambda row: row[:3]):
        partitions = [_partition(row, lags) for row in group if row[3] is not None]
        alive = (datetime.now(UTC) - last_seen).total_seconds() < ALIVE_S
        silent = any(p.offset is not None and (p.lag_events is None or p.lag_s is None) for p in partitions)
        state = ConsumerState(
            name,
            text(created_at),
            text(last_seen),
            partitions,
            sorted({p.member for p in partitions if p.member is not None and alive}),
            _sum(p.lag_events for p in partitions),
            max((p.lag_s for p in partitions if p.lag_s is not None), default=None),
            _sum(p.events_per_s for p in partitions),
            (reason or NOT_YET) if silent else None,
        )
        found.append(state)
    return found


def _partition(row: Row, lags: Mapping[Record, Lag]) -> PartitionState:
    topic, number, offset, position, epoch, member, updated_at, topic_id, rate = row[3:12]
    lag = None if offset is None else lags.get(Record(At(topic, number), offset))
    events = None if lag is None else lag.events
    lag_s = None if lag is None or lag.seconds is None else round(lag.seconds, 3)
    per_s = None if rate is None else round(rate, 3)
    return PartitionState(
        topic, number, offset, position, epoch, member, text(updated_at), topic_id, events, lag_s, per_s
    )


def _sum(values: Iterable[float | int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None  # type: ignore[return-value]


def text(moment: datetime) -> str:
    """As it is answered."""
    return times.rfc3339(times.micros(moment))
