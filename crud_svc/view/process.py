"""The entity view as a process: the consumer, the builder of its indexes, health and metrics."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from crud_svc.view.builder import keep_built
from crud_svc.view.consumer import projecting
from eskit import consumer as consuming
from eskit.consumer import Consumer
from eskit.settings import Settings
from eskit.web.bodies import SETTINGS

CONSUMER: web.AppKey[Consumer] = web.AppKey("entity_view_consumer", Consumer)


def view_app(settings: Settings) -> web.Application:
    """Health and metrics of the view."""
    consumer = projecting(settings)
    app = consuming.consumer_app(consumer, settings)
    app[CONSUMER] = consumer
    app.cleanup_ctx.append(_building)
    return app


async def work(app: web.Application) -> None:
    """Keep the view until cancelled."""
    await consuming.work(app[CONSUMER])(app)


async def _building(app: web.Application) -> AsyncIterator[None]:
    task = asyncio.create_task(keep_built(app[SETTINGS]))
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
