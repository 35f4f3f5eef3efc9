"""What the handlers share: the event store, open for as long as the service runs."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from eskit.web import bodies
from eventstore_svc.store import EventStore, open_event_store

STORE: web.AppKey[EventStore] = web.AppKey("event_store", EventStore)


async def store(app: web.Application) -> AsyncIterator[None]:
    """The event store, under `STORE`."""
    async with open_event_store(app[bodies.SETTINGS], "eskit eventstore") as opened:
        app[STORE] = opened
        yield
