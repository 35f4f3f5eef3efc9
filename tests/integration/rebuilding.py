"""A view to be rebuilt: one row for each event, without a key, so that an effect too many would be seen."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg import AsyncConnection

from eskit.consumer import Consumer, DeadLetter, Event, Target, Tuning
from eskit.consumer.transactions.rebuild import Pair, pair, rebuild
from eskit.settings import Settings
from tests.integration.consuming import all_saved, consuming, last_of
from tests.services import until

QUICK = Tuning(commit_interval_s=0.05, retry_least_s=0.01, retry_most_s=0.05, batch_events=50)


class Ledger:
    """The consumer of the view, and what its handler shall do out of the ordinary."""

    def __init__(self, *, session_timeout_s: float = 10.0) -> None:
        self.poison: set[int] = set()
        self.amount = "position"
        self.entered, self.gate = asyncio.Event(), asyncio.Event()
        self.gate_at = 0
        self.consumer = Consumer(
            "ledger", transaction=Target("ledger"), tuning=QUICK, session_timeout_s=session_timeout_s
        )
        self.consumer.on_schema(self.tables)
        self.consumer.on("Thing.Changed")(self.one)

    async def tables(self, connection: AsyncConnection[Any]) -> None:
        await connection.execute("CREATE TABLE IF NOT EXISTS effects (nr serial, position bigint, amount bigint)")
        await connection.execute("CREATE TABLE IF NOT EXISTS owners (id text)")

    async def one(self, event: Event, connection: AsyncConnection[Any]) -> None:
        if event.position in self.poison:
            raise DeadLetter
        amount = event.position if self.amount == "position" else 7
        await connection.execute("INSERT INTO effects (position, amount) VALUES (%s, %s)", (event.position, amount))
        if event.position == self.gate_at:
            self.entered.set()
            await self.gate.wait()

    def pair(self) -> Pair:
        """With a copy of its own object, as each process has."""
        return pair(self.consumer, "ledger-2", "ledger_2")


class Database:
    """A look from outside."""

    def __init__(self, config: Settings) -> None:
        self.url = config.database_url

    def rows(self, text: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(text.encode())
            return cursor.fetchall() if cursor.description else []

    def positions(self, schema: str = "ledger") -> list[int]:
        return [row[0] for row in self.rows(f"SELECT position FROM {schema}.effects ORDER BY position")]

    def in_order(self) -> bool:
        """Whether the events of each originator had their effect in their order."""
        ordered = "SELECT position > lag(position) OVER (PARTITION BY position %% 100 ORDER BY nr) FROM ledger.effects"
        return all(row[0] is not False for row in self.rows(ordered.replace("%%", "%")))

    def schemas(self) -> list[str]:
        """Those of the ledger."""
        return [row[0] for row in self.rows("SELECT nspname FROM pg_namespace WHERE nspname ~ '^ledger' ORDER BY 1")]

    def old(self) -> str:
        """Where the first view is after a switch."""
        [old] = [name for name in self.schemas() if name.startswith("ledger_old_")]
        return old


async def built(config: Settings, consumers: Pair) -> None:
    """The copy has reached the first."""
    await rebuild(config, consumers, lambda _: None)


async def done_up_to(config: Settings, ledger: Ledger, last: int) -> None:
    """Run the first until it has done these positions, and stop it."""
    async with running(config, ledger):
        await caught_up(config, last)


async def caught_up(config: Settings, last: int) -> None:
    """The first has committed everything up to this position."""
    await until(lambda: all_saved(config, "ledger", last_of(range(1, last + 1))), 60)


@asynccontextmanager
async def running(config: Settings, ledger: Ledger) -> AsyncIterator[None]:
    """The first runs."""
    async with consuming(config, ledger.consumer):
        yield


program = Ledger(session_timeout_s=6.0)
program.amount = os.environ.get("AMOUNT", "position")
billing = program.consumer
