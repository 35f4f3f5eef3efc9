"""What /metrics shows is looked up now and then: the counts in Postgres, the consumers in the offsets service."""

from __future__ import annotations

import asyncio

import psycopg
import psycopg_pool

from consumers.metrics import store
from consumers.metrics.collector import ConsumersCollector, LogCollector
from eskit import logs
from eskit.client.offsets import Offsets
from eskit.consumer import Consumer
from eskit.consumer.transactions.target import View
from eskit.errors import EskitError
from eskit.offsets import ConsumerState

log = logs.get(__name__)

COUNTS_EVERY_S = 0.5
CONSUMERS_EVERY_S = 2.0
PAGE = 1000
# Each is half a dozen time series.
MAX_CONSUMERS = 10_000


async def look_at_counts(view: View, consumer: Consumer, collector: LogCollector) -> None:
    """Show what is committed of the partitions that this process has. While the database is away the last stays.

    Read back instead of added up: only the table knows whether a transaction without an answer was committed, and what
    another instance had counted before a partition became ours.
    """
    away = False
    while True:
        try:
            async with view.pool.connection() as connection:
                collector.loaded = await store.shown(connection, consumer.partitions)
            away = False
        except (psycopg.Error, psycopg_pool.PoolTimeout) as error:
            # Before the consumer's first start the tables are missing, too.
            if not away and consumer.partitions:
                log.warning("counts cannot be read", error=type(error).__name__)
                away = True
        await asyncio.sleep(COUNTS_EVERY_S)


async def look_at_consumers(client: Offsets, collector: ConsumersCollector) -> None:
    """Keep the list of consumers new. While the offsets service is away the last one stays: lastseen tells its age."""
    while True:
        try:
            collector.consumers = await _consumers(client)
            collector.away = False
        except EskitError as error:
            if not collector.away:
                log.warning("consumers cannot be listed", error=error.detail)
            collector.away = True
        await asyncio.sleep(CONSUMERS_EVERY_S)


async def _consumers(client: Offsets) -> list[ConsumerState]:
    found: list[ConsumerState] = []
    after: str | None = ""
    while after is not None and len(found) < MAX_CONSUMERS:
        page = await client.consumers(after=after, limit=PAGE)
        found += page.consumers
        after = page.next
    return found
