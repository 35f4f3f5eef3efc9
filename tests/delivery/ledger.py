"""A view whose rows are the effects of events, for the tests of exactly once."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, LiteralString

import psycopg
from psycopg import AsyncConnection

from eskit.consumer import Consumer, Event, Target, Tuning
from tests.delivery.bench import Bench

QUICK = Tuning(commit_interval_s=0.05, retry_least_s=0.01, retry_most_s=0.05, batch_events=50)
HANDLERS = ["single", "batch"]


class Ledger:
    """A view with a row for each effect: no key, so that an effect too many would be seen."""

    def __init__(self, bench: Bench, handlers: str = "single", target: Any = None, name: str = "ledger") -> None:
        self.url = bench.config.database_url
        self.poison: set[int] = set()
        self.schema = "ledger"
        self.consumer = Consumer(name, transaction=target or Target("ledger"), tuning=QUICK)
        self.consumer.on_schema(self.tables)
        if handlers == "batch":
            self.consumer.on_batch("Thing.Changed")(self.batch)
        else:
            self.consumer.on("Thing.Changed")(self.one)

    async def tables(self, connection: AsyncConnection[Any]) -> None:
        await connection.execute("CREATE TABLE IF NOT EXISTS effects (nr serial, position bigint, originator text)")

    async def one(self, event: Event, connection: AsyncConnection[Any]) -> None:
        await connection.execute(
            "INSERT INTO effects (position, originator) VALUES (%s, %s)", (event.position, event.originator.id)
        )
        if event.position in self.poison:
            raise ValueError("no such account")

    async def batch(self, events: list[Event], connection: AsyncConnection[Any]) -> None:
        for event in events:
            await self.one(event, connection)

    def effects(self) -> list[tuple[int, str]]:
        """Position and originator of each effect, in their order."""
        with psycopg.connect(self.url) as connection:
            return connection.execute(f"SELECT position, originator FROM {self.schema}.effects ORDER BY nr").fetchall()

    def positions(self) -> list[int]:
        return sorted(position for position, _ in self.effects())

    def in_order(self) -> bool:
        by_originator: dict[str, list[int]] = defaultdict(list)
        for position, originator in self.effects():
            by_originator[originator].append(position)
        return all(found == sorted(set(found)) for found in by_originator.values())

    async def rewrite(self, statement: LiteralString) -> None:
        """Change rows that the consumer, on this event loop, may have locked: waiting must not hold the loop up."""
        async with await AsyncConnection.connect(self.url, autocommit=True) as connection:
            await connection.execute(statement)

    def sever(self) -> int:
        """Break every connection of the consumer, wherever it is; how many."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            return len(
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s",
                    (f"eskit {self.consumer.name}",),
                ).fetchall()
            )
