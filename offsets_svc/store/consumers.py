"""Consumers as people and dashboards see them: how far each has come, how far it is behind, who works on it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby

from eskit import times
from eskit.errors import NotFound
from eskit.offsets import ConsumersPage, ConsumerState, History, HistoryPoint, PartitionState
from eskit.postgres.statements import statement
from offsets_svc.store.database import Database, Row

CONSUMERS = statement("offsets_svc", "consumers")
HISTORY = statement("offsets_svc", "history")

# A member sends a sign of life every thirty seconds.
ALIVE_S = 60.0
NOT_WATCHED = "the ends of the topics are not watched"


async def page(database: Database, after: str, limit: int, lag_unknown: str | None) -> ConsumersPage:
    """Consumers by name, those after `after`. `lag_unknown`: why lags cannot be told; None: they can."""
    values = {"name": None, "after": after, "limit": limit}
    found = _consumers(await database.rows(CONSUMERS, values), lag_unknown)
    return ConsumersPage(found, found[-1].name if len(found) == limit else None, lag_unknown)


async def one(database: Database, name: str, lag_unknown: str | None) -> ConsumerState:
    """One consumer; raises NotFound."""
    values = {"name": name, "after": "", "limit": 1}
    found = _consumers(await database.rows(CONSUMERS, values), lag_unknown)
    if not found:
        raise NotFound(f"There is no consumer {name}: it has claimed and committed nothing yet")
    return found[0]


async def history(
    database: Database, name: str, topic: str, *, partition: int | None, since: datetime | None, limit: int
) -> History:
    """How offsets have moved; without `since`, in the last hour."""
    values = {"consumer": name, "topic": topic, "partition": partition, "limit": limit,
              "since": since or datetime.now(UTC) - timedelta(hours=1)}  # fmt: skip
    rows = await database.rows(HISTORY, values)
    return History([HistoryPoint(row[0], text(row[1]), row[2], row[3]) for row in rows])


def _consumers(rows: Sequence[Row], lag_unknown: str | None) -> list[ConsumerState]:
    """One for each name, from rows that have the name, two times, and a partition's columns (NULL: no partition)."""
    found = []
    for (name, created_at, last_seen), group in groupby(rows, key=lambda row: row[:3]):
        partitions = [_partition(row, lag_unknown) for row in group if row[3] is not None]
        found.append(_consumer(name, created_at, last_seen, partitions))
    return found


def _partition(row: Row, lag_unknown: str | None) -> PartitionState:
    topic, number, offset, position, epoch, member, updated_at, topic_id, end, waits_s, rate = row[3:14]
    lag = max(0, end - (offset or 0)) if end is not None and lag_unknown is None else None
    lag_s = None if lag is None else round(waits_s or 0.0, 3) if lag else 0.0
    per_s = None if rate is None else round(rate, 3)
    return PartitionState(topic, number, offset, position, epoch, member, text(updated_at), topic_id, lag, lag_s, per_s)


def _consumer(name: str, created_at: datetime, last_seen: datetime, partitions: list[PartitionState]) -> ConsumerState:
    now = datetime.now(UTC)
    alive = {
        p.member
        for p in partitions
        if p.member is not None and (now - datetime.fromisoformat(p.updated_at)).total_seconds() < ALIVE_S
    }
    return ConsumerState(
        name,
        text(created_at),
        text(last_seen),
        partitions,
        sorted(alive),
        _sum(p.lag_events for p in partitions),
        max((p.lag_s for p in partitions if p.lag_s is not None), default=None),
        _sum(p.events_per_s for p in partitions),
    )


def _sum(values: Iterable[float | int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None  # type: ignore[return-value]


def text(moment: datetime) -> str:
    """As it is answered."""
    return times.rfc3339(times.micros(moment))
