"""What lists need while the service runs, beside the event store."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web
from prometheus_client import Gauge

from crud_svc.api.resources import STORE
from crud_svc.view.database import open_view_database
from crud_svc.view.searching import Search
from eskit.web.bodies import SETTINGS
from eskit.web.health import REGISTRY
from eventstore_svc.store import EventStore

SEARCH: web.AppKey[Search] = web.AppKey("search", Search)
LISTS: web.AppKey[Gauge] = web.AppKey("lists_answered", Gauge)


class CursorKey:
    """What cursors are signed with: the log's own key, the same in all processes of its services."""

    def __init__(self, store: EventStore) -> None:
        """Read when it is first asked for."""
        self._store = store
        self._key: bytes | None = None

    async def get(self) -> bytes:
        """The key. Raises Unavailable."""
        if self._key is None:
            self._key = await self._store.signing_key()
        return self._key


CURSOR_KEY: web.AppKey[CursorKey] = web.AppKey("cursor_key", CursorKey)


def prepare(app: web.Application) -> None:
    """What lists need beside the view."""
    # By this name, which a counter could not have: it would be called …_total.
    app[LISTS] = Gauge("eskit_events_crud_listview", "Lists of entities that were answered.", registry=app[REGISTRY])
    app[CURSOR_KEY] = CursorKey(app[STORE])


async def opened(app: web.Application) -> AsyncIterator[None]:
    """The view's database, and what else lists need."""
    prepare(app)
    async with open_view_database(app[SETTINGS]) as database:
        app[SEARCH] = Search(database, app[STORE], app[SETTINGS])
        yield
        await app[SEARCH].close()
