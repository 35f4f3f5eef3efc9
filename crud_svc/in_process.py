"""The CRUD service on a log in memory: what `eskit.testing.in_process` runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from aiohttp import web

from crud_svc.api import list_resources
from crud_svc.api.resources import ready
from crud_svc.app import OPERATIONS
from crud_svc.entities.reading import Reader
from crud_svc.view.in_memory import MemorySearch
from eskit.settings import Settings
from eskit.testing.log import Log
from eskit.web.app import create_app
from eventstore_svc.store import LAST_VERSION
from eventstore_svc.store.arrays import MICROS_2000
from eventstore_svc.store.memory import MemoryStore
from eventstore_svc.store.memory_reads import Answered, MemoryFetcher, cut, stream


def app_on(log: Log, settings: Settings) -> web.Application:
    """The CRUD service, with its own calls. It takes no snapshots."""

    async def opened(app: web.Application) -> AsyncIterator[None]:
        store = MemoryStore(log, settings)
        async with ready(app, store, Reader(MemoryFetcher(log, STATEMENTS), store, _ignore)):
            list_resources.prepare(app)
            app[list_resources.SEARCH] = MemorySearch(store, settings)
            yield

    # It does not describe itself: nobody reads that here, and it would take most of the time to start.
    return create_app("crud", settings, routes=OPERATIONS, resources=[opened])


def _ignore(*_: Any, **__: Any) -> None:
    """Snapshots would help nobody here."""


def _entity(log: Log, values: Mapping[str, Any]) -> Answered:
    events = stream(log, values["entity_type"], values["originator_id"])
    part = events[max(values["from_version"], 1) - 1 : values["to_version"]]
    return [
        (e.version, e.position, e.recorded_at_us - MICROS_2000, e.action, e.payload, 0)
        for e in cut(part, values["limit"], values["most_bytes"])
    ]


def _entities(log: Log, values: Mapping[str, Any]) -> Answered:
    streams = zip(values["entity_types"], values["originator_ids"], strict=True)
    for number, (kind, ident) in enumerate(streams, 1):
        one = {**values, "entity_type": kind, "originator_id": ident, "from_version": 0, "to_version": LAST_VERSION}
        for row in _entity(log, one):
            yield (number, *row)


STATEMENTS = {"read_entity": _entity, "read_entities": _entities}
