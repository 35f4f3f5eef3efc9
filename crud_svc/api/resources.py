"""What the calls need, and how they read what every one of them has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from aiohttp import web
from msgspec import Meta

from crud_svc import database
from crud_svc.entities.batch import Batch
from crud_svc.entities.entities import Entities
from crud_svc.entities.reading import Reader
from crud_svc.snapshots.snapshotter import Snapshotter
from crud_svc.types.dry_run import DryRuns
from crud_svc.types.types import Types
from crud_svc.types.validators import Validators
from crud_svc.types.worker_process import WorkerProcess
from eskit.web import bodies, health
from eventstore_svc.store import LAST_VERSION, EventStore, Fetcher, open_event_store

STORE: web.AppKey[EventStore] = web.AppKey("crud_event_store", EventStore)
TYPES: web.AppKey[Types] = web.AppKey("types", Types)
DRY_RUNS: web.AppKey[DryRuns] = web.AppKey("dry_runs", DryRuns)
ENTITIES: web.AppKey[Entities] = web.AppKey("entities", Entities)
BATCH: web.AppKey[Batch] = web.AppKey("entities_batch", Batch)

MAX_PAGE = 1000
Version = Annotated[int, Meta(ge=1, le=LAST_VERSION)]

TYPE_PATH = "/v1/entities/{entity_type}"
# aiohttp's own pattern leaves out braces, which an id may have.
ENTITY_PATH = f"{TYPE_PATH}/{{id:[^/]+}}"


@asynccontextmanager
async def ready(app: web.Application, store: EventStore, reader: Reader) -> AsyncIterator[None]:
    """What the calls need, over a log and what reads entities from it."""
    limit_bytes, worker = app[bodies.SETTINGS].max_event_bytes, WorkerProcess()
    validators = Validators(reader, worker)
    app[STORE] = store
    app[ENTITIES] = Entities(store, reader, limit_bytes, validators)
    # Schemas are held against their drafts, and not against schemas.
    app[TYPES] = Types(store, Entities(store, reader, limit_bytes), validators, worker)
    app[DRY_RUNS] = DryRuns(store, reader)
    app[BATCH] = Batch(app[ENTITIES], store)
    try:
        yield
    finally:
        await worker.close()


async def opened(app: web.Application) -> AsyncIterator[None]:
    """The log, the database, and what works beside the calls."""
    settings = app[bodies.SETTINGS]
    async with open_event_store(settings, "eskit crud") as store, database.open_pool(settings) as pool:
        snapshotter = Snapshotter(pool, app[health.REGISTRY])
        beside = asyncio.create_task(snapshotter.run())
        async with ready(app, store, Reader(Fetcher(pool, "crud_svc"), store, snapshotter.offer)):
            yield
        beside.cancel()
        await asyncio.gather(beside, return_exceptions=True)
