"""Both kinds of services that a client may talk to: on PostgreSQL, and in the process on a log in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from crud_svc.app import crud_app
from eskit.client import Connections
from eskit.testing import in_process
from eventstore_svc.app import eventstore_app
from tests.services import config_for, running


@dataclass(frozen=True)
class Services:
    """Where clients find them."""

    eventstore: Connections
    crud: Connections


@asynccontextmanager
async def on_postgres(database_url: str) -> AsyncIterator[Services]:
    """The real ones, on a database of one's own."""
    config = config_for(database_url)
    async with AsyncExitStack() as stack:
        urls = [
            await stack.enter_async_context(running(app(config), config, port))
            for app, port in ((eventstore_app, "eventstore_port"), (crud_app, "crud_port"))
        ]
        yield Services(*[await stack.enter_async_context(Connections(url, patience_s=5)) for url in urls])


@asynccontextmanager
async def in_memory() -> AsyncIterator[Services]:
    """Those of the testing kit."""
    async with in_process() as services:
        yield Services(services.eventstore, services.crud)
