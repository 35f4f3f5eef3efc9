"""Claims and offsets on Postgres. Every call is one statement."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import groupby
from typing import Any, LiteralString

from eskit import times
from eskit.errors import EskitError, NotFound
from eskit.offsets import Claim, Commit, Committed, ConsumersPage, ConsumerState, PartitionState
from eskit.postgres import connections
from eskit.postgres.boundary import boundary, shielded
from eskit.postgres.connections import Pool
from eskit.postgres.migrations import Schema
from eskit.postgres.statements import statement
from eskit.settings import Settings
from offsets_svc.requests import ClaimIn
from offsets_svc.verdicts import verdict

CLAIM = statement("offsets_svc", "claim")
COMMIT = statement("offsets_svc", "commit")
CONSUMERS = statement("offsets_svc", "consumers")
CONSUMER = statement("offsets_svc", "consumer")

Outcome = Committed | EskitError


def schema(settings: Settings) -> Schema:
    """The schema of this log's offsets."""
    return Schema(settings.schema("offsets"), "offsets_svc")


class OffsetStore:
    """Who reads which partition, and how far it has come. Made by `open_offset_store`."""

    def __init__(self, pool: Pool, info: str, settings: Settings) -> None:
        """Not for callers: use `open_offset_store`."""
        self._pool = pool
        self._info = info
        self._settings = settings

    async def claim(self, consumer: str, claim: ClaimIn) -> list[Claim]:
        """Give the partitions to a member: each gets the next epoch. Raises Unavailable."""
        values = {"consumer": consumer, "topic": claim.topic, "member": claim.member,
                  "partitions": claim.partitions}  # fmt: skip
        rows = await self._rows(CLAIM, values)
        return sorted((Claim(*row) for row in rows), key=lambda claimed: claimed.partition)

    async def commit(self, consumer: str, commits: Sequence[Commit]) -> list[Outcome]:
        """Store offsets; of each commit, in order, what is stored or why it was refused. Raises Unavailable."""
        values = {
            "consumer": consumer,
            "topics": [c.topic for c in commits],
            "partitions": [c.partition for c in commits],
            "offsets": [c.offset for c in commits],
            "positions": [c.position for c in commits],
            "epochs": [c.epoch or 0 for c in commits],
        }
        after = {(row[0], row[1]): Committed(*row) for row in await self._rows(COMMIT, values)}
        stored = [after.get((c.topic, c.partition)) for c in commits]
        return [verdict(c, s) or _known(s) for c, s in zip(commits, stored, strict=True)]

    async def consumers(self, after: str, limit: int) -> ConsumersPage:
        """Consumers by name, those after `after`."""
        found = _consumers(await self._rows(CONSUMERS, {"after": after, "limit": limit}))
        return ConsumersPage(found, found[-1].name if len(found) == limit else None)

    async def consumer(self, name: str) -> ConsumerState:
        """One consumer; raises NotFound."""
        found = _consumers(await self._rows(CONSUMER, {"consumer": name}))
        if not found:
            raise NotFound(f"There is no consumer {name}: it has claimed and committed nothing yet")
        return found[0]

    async def check(self) -> None:
        """Raises what keeps the store from working: the database is away, or its schema is not ours."""
        await connections.check(self._info, schema(self._settings))

    async def _rows(self, text: LiteralString, values: dict[str, Any]) -> list[tuple[Any, ...]]:
        return await shielded(self._fetch(text, values))

    async def _fetch(self, text: LiteralString, values: dict[str, Any]) -> list[tuple[Any, ...]]:
        with boundary():
            async with self._pool.connection() as connection:
                return await (await connection.execute(text, values)).fetchall()


def _known(stored: Committed | None) -> Committed:
    if stored is None:
        raise EskitError("a commit was taken and its row is not there")
    return stored


def _consumers(rows: list[tuple[Any, ...]]) -> list[ConsumerState]:
    """One for each name, from rows that have the name, two times, and a partition's columns (NULL: no partition)."""
    found = []
    for (name, created_at, last_seen), group in groupby(rows, key=lambda row: row[:3]):
        columns = [(*row[3:9], _text(row[9])) for row in group if row[3] is not None]
        partitions = [PartitionState(*values) for values in columns]
        found.append(ConsumerState(name, _text(created_at), _text(last_seen), partitions))
    return found


def _text(moment: datetime) -> str:
    return times.rfc3339(times.micros(moment))


@asynccontextmanager
async def open_offset_store(settings: Settings, application: str) -> AsyncIterator[OffsetStore]:
    """The store with its connections. Opens without waiting for the database."""
    ours = schema(settings)
    info = connections.conninfo(settings, ours, "writer", application)
    async with connections.open_pool(settings, info, ours) as pool:
        yield OffsetStore(pool, info, settings)
