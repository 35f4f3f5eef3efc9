"""The metrics consumer's wiring: a consumer in memory, a look at the offsets service now and then, /metrics."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from consumers.metrics.collector import ConsumersCollector, LogCollector
from consumers.metrics.counts import Counts
from eskit import consumer as consuming
from eskit import logs
from eskit.client.offsets import OffsetsClient
from eskit.consumer import Consumer, Record
from eskit.errors import EskitError
from eskit.settings import Settings
from eskit.web.bodies import SETTINGS
from eskit.web.health import REGISTRY

log = logs.get(__name__)

CONSUMER: web.AppKey[Consumer] = web.AppKey("metrics_consumer", Consumer)

LOOK_EVERY_S = 2.0
MAX_CONSUMERS = 1000


def counting(counts: Counts) -> Consumer:
    """The consumer that keeps the counts."""
    consumer = Consumer("metrics", in_memory=True)

    @consumer.on_record()
    async def count(record: Record) -> None:
        counts.add(record.partition, record.event.position, record.event.entity_type, record.event.event_type)

    @consumer.on_assigned
    async def begin(partitions: set[int]) -> None:
        counts.begin(partitions)

    @consumer.on_revoked
    async def drop(partitions: set[int]) -> None:
        counts.drop(partitions)

    return consumer


def metrics_app(settings: Settings) -> web.Application:
    """The application: health, and /metrics with what the consumer counts."""
    counts = Counts()
    consumer = counting(counts)
    app = consuming.consumer_app(consumer, settings)
    app[CONSUMER] = consumer
    app[REGISTRY].register(LogCollector(counts, settings.log, consumer.replaying))
    app.cleanup_ctx.append(_looking)
    return app


async def work(app: web.Application) -> None:
    """The consumer itself."""
    await consuming.work(app[CONSUMER])(app)


async def _looking(app: web.Application) -> AsyncIterator[None]:
    settings = app[SETTINGS]
    collector = ConsumersCollector(settings.topic)
    app[REGISTRY].register(collector)
    async with OffsetsClient(settings.offsets_url, timeout_s=5, patience_s=0) as client:
        task = asyncio.create_task(_look(client, collector))
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _look(client: OffsetsClient, collector: ConsumersCollector) -> None:
    """Keep the list of consumers new. While the offsets service is away the last list stays: lastseen tells its age."""
    away = False
    while True:
        try:
            collector.consumers = (await client.consumers(limit=MAX_CONSUMERS)).consumers
            away = False
        except EskitError as error:
            if not away:
                log.warning("consumers cannot be listed", error=error.detail)
            away = True
        await asyncio.sleep(LOOK_EVERY_S)
