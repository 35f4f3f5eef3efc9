"""What the handlers share: the event store, open for as long as the service runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from eskit.web import bodies
from eskit.web.health import REGISTRY
from eventstore_svc.live.feed import Feed
from eventstore_svc.live.metrics import FeedMetrics
from eventstore_svc.store import EventStore, open_event_store

STORE: web.AppKey[EventStore] = web.AppKey("event_store", EventStore)
FEED: web.AppKey[Feed] = web.AppKey("feed", Feed)


async def store(app: web.Application) -> AsyncIterator[None]:
    """The event store, under `STORE`."""
    async with open_event_store(app[bodies.SETTINGS], "eskit eventstore") as opened:
        app[STORE] = opened
        yield


async def feed(app: web.Application) -> AsyncIterator[None]:
    """What waiting readers share, under `FEED`."""
    app[FEED] = opened = Feed(app[STORE], app[bodies.SETTINGS])
    app[REGISTRY].register(FeedMetrics(opened))
    working = [asyncio.create_task(opened.run()), asyncio.create_task(app[STORE].notice.listen())]
    try:
        yield
    finally:
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)


async def stop_readers(app: web.Application) -> None:
    """Those who wait are answered before connections are closed."""
    app[FEED].stop()
