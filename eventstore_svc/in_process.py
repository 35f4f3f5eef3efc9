"""The event store on a log in memory: what `eskit.testing.in_process` runs."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from eskit.settings import Settings
from eskit.testing.log import Log
from eskit.web.app import create_app
from eventstore_svc.api.resources import STORE, feed, stop_readers
from eventstore_svc.app import OPERATIONS
from eventstore_svc.store.memory import MemoryStore


def app_on(log: Log, settings: Settings) -> web.Application:
    """The event store service, with its own calls."""

    async def opened(app: web.Application) -> AsyncIterator[None]:
        app[STORE] = MemoryStore(log, settings)
        yield

    # It does not describe itself: nobody reads that here, and it would take most of the time to start.
    app = create_app("eventstore", settings, routes=OPERATIONS, resources=[opened, feed])
    app.on_shutdown.append(stop_readers)
    return app
