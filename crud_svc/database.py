"""The database of the CRUD service: a schema of its own, and beside it the log, to be read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from eskit.postgres import connections
from eskit.postgres.connections import Pool
from eskit.postgres.migrations import Schema
from eskit.settings import Settings
from eventstore_svc.store import event_store


def schema(settings: Settings) -> Schema:
    """The schema of this log's CRUD service."""
    return Schema(settings.schema("crud"), "crud_svc")


def conninfo(settings: Settings, application: str) -> str:
    """Our schema first, then the log's: one statement may read both."""
    return connections.conninfo(settings, schema(settings), "writer", application, beside=event_store.schema(settings))


async def check(settings: Settings) -> None:
    """Raises what keeps the service from working: the database is away, or its schema is not ours."""
    await connections.check(conninfo(settings, "eskit crud"), schema(settings))


@asynccontextmanager
async def open_pool(settings: Settings) -> AsyncIterator[Pool]:
    """Connections of the service. Opens without waiting for the database."""
    async with connections.open_pool(settings, conninfo(settings, "eskit crud"), schema(settings)) as pool:
        yield pool
