"""The metrics consumer's wiring: counts kept exactly once in Postgres, a look at them now and then, /metrics."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web
from psycopg import AsyncConnection

from consumers.metrics import store
from consumers.metrics.collector import ConsumersCollector, LogCollector
from consumers.metrics.looking import look_at_consumers, look_at_counts
from eskit import consumer as consuming
from eskit.client.offsets import Offsets
from eskit.consumer import Consumer, Record, Retry, Target
from eskit.consumer.transactions.target import open_view
from eskit.settings import Settings
from eskit.web.bodies import SETTINGS
from eskit.web.health import REGISTRY

CONSUMER: web.AppKey[Consumer] = web.AppKey("metrics_consumer", Consumer)


def _target(settings: Settings) -> Target:
    return Target(settings.schema("metrics"))


def counting(settings: Settings) -> Consumer:
    """The consumer that keeps the counts."""
    # An event that is set aside would be missing from the counts: whatever is wrong with the database is waited out.
    consumer = Consumer(
        "metrics",
        transaction=_target(settings),
        on_error={BaseException: Retry(attempts=None)},
    )
    consumer.on_schema(store.prepare)

    @consumer.on_record_batch()
    async def count(records: list[Record], connection: AsyncConnection[Any]) -> None:
        await store.fold(records, connection)

    return consumer


def metrics_app(settings: Settings) -> web.Application:
    """The application: health, and /metrics with what the consumer counts."""
    consumer = counting(settings)
    app = consuming.consumer_app(consumer, settings)
    app[CONSUMER] = consumer
    app.cleanup_ctx.append(_looking)
    return app


async def work(app: web.Application) -> None:
    """The consumer itself."""
    await consuming.work(app[CONSUMER])(app)


async def _looking(app: web.Application) -> AsyncIterator[None]:
    settings, consumer = app[SETTINGS], app[CONSUMER]
    counted = LogCollector(settings.log, lambda: consumer.partitions)
    consumers = ConsumersCollector(settings.topic)
    app[REGISTRY].register(counted)
    app[REGISTRY].register(consumers)
    async with (
        open_view(_target(settings), settings, consumer.name) as view,
        Offsets(settings.offsets_url, timeout_s=5, patience_s=0) as client,
    ):
        tasks = [
            asyncio.create_task(look_at_counts(view, consumer, counted)),
            asyncio.create_task(look_at_consumers(client, consumers)),
        ]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
