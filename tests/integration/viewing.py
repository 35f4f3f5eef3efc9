"""The CRUD service with its entity view, and all that is between them, in a test's own process."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import psycopg
from aiohttp import web
from msgspec.structs import replace

from crud_svc.documents.state import Fold
from crud_svc.view.freshness import reached
from crud_svc.view.process import view_app
from crud_svc.view.process import work as view_work
from eskit.selectors import Selector
from eskit.settings import Settings
from eventstore_svc.relay.app import relay_app
from eventstore_svc.relay.app import work as relay_work
from eventstore_svc.store import EventStore, NewEvent
from tests.integration.appending import new_event
from tests.integration.consuming import offsets_service
from tests.integration.crud_calls import Crud, crud_service
from tests.services import running, until


class Lists:
    """Lists of the type User."""

    def __init__(self, crud: Crud, config: Settings | None = None) -> None:
        self.crud = crud
        self.config = config or Settings()

    async def __call__(self, kind: str = "User", status: int = 200, **query: Any) -> Any:
        """An answer's JSON. Parameters: `filter__age__gt` is `filter.age.gt`; others as they are."""
        parameters = {name.replace("__", "."): value for name, value in query.items()}
        return await self.raw(parameters, kind, status)

    async def raw(self, parameters: dict[str, Any], kind: str = "User", status: int = 200) -> Any:
        """The same, with names that are no names of Python."""
        reply = await self.crud.call("GET", f"/v1/entities/{kind}?{urlencode(parameters)}")
        assert reply.status == status, reply.body
        return reply.json

    async def there(self) -> bool:
        """Whether the view has been made."""
        return (await self.crud.call("GET", "/v1/entities/User?wait=0")).status == 200

    async def ids(self, kind: str = "User", **query: Any) -> list[str]:
        """The ids on all pages."""
        found: list[str] = []
        parameters = {name.replace("__", "."): value for name, value in query.items()}
        while True:
            page = await self.raw(parameters, kind)
            found += [one["id"] for one in page["entities"]]
            if page["next"] is None:
                return found
            assert page["entities"], "an empty page that is not the last"
            parameters["cursor"] = page["next"]


Work = Callable[[web.Application], Awaitable[None]]


@asynccontextmanager
async def working(app: web.Application, config: Settings, port: str, work: Work) -> AsyncIterator[str]:
    """A process of ours in this one: its application and its work."""
    async with running(app, config, port) as url:
        task = asyncio.ensure_future(work(app))
        try:
            yield url
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def view_process(config: Settings) -> AsyncIterator[str]:
    """The view; the URL of its health and metrics."""
    async with working(view_app(config), config, "view_port", view_work) as url:
        yield url


@asynccontextmanager
async def relayed(log_config: Settings) -> AsyncIterator[Settings]:
    """A relay and an offsets service for a log."""
    async with offsets_service(log_config) as config, working(relay_app(config), config, "relay_port", relay_work):
        yield config


@asynccontextmanager
async def viewed(log_config: Settings, **changes: Any) -> AsyncIterator[Lists]:
    """All of it."""
    async with (
        relayed(replace(log_config, **changes)) as config,
        view_process(config),
        crud_service(config) as crud,
    ):
        lists = Lists(crud, config)
        await until(lists.there)
        yield lists


Row = tuple[str, str, int, int, int, str]


async def folded(store: EventStore) -> list[Row]:
    """What the view must hold, by the log alone: type, id, version, position, version of deletion, document."""
    folds: dict[tuple[str, str], Fold] = {}
    first = 1
    while True:
        page = await store.log(first, 1000, Selector("*"))
        for event in page.events:
            folds.setdefault((event.entity_type, event.originator_id), Fold()).add(event)
        if page.next == first:
            break
        first = page.next
    states = {stream: fold.state() for stream, fold in folds.items()}
    return sorted(
        (*stream, state.version, state.position, state.deleted_at, state.body().decode())
        for stream, state in states.items()
        if state.alive or state.deleted_at
    )


async def kept(config: Settings, schema: str = "") -> list[Row]:
    """What the view holds."""
    table = f"{schema or config.schema('entity_view')}.entities"
    text = f"SELECT entity_type, id, version, position, deleted_at, body FROM {table}"
    async with await psycopg.AsyncConnection.connect(config.database_url, autocommit=True) as connection:
        return sorted(await (await connection.execute(text.encode())).fetchall())


async def caught_up(config: Settings, store: EventStore, timeout_s: float = 60.0) -> None:
    """Wait until the view has all of the log."""

    async def has_all() -> bool:
        text = f"SELECT partition, coalesce(position, 0) FROM {config.schema('entity_view')}.eskit_progress"
        try:
            async with await psycopg.AsyncConnection.connect(config.database_url, autocommit=True) as connection:
                progress: dict[int, int] = dict(await (await connection.execute(text.encode())).fetchall())
        except psycopg.errors.UndefinedTable:
            return False
        return reached(await store.ends(), progress)

    await until(has_all, timeout_s)


class Life:
    """What happens to some entities, at random: all that a log may hold."""

    def __init__(self, seed: int, entities: int = 30) -> None:
        self._dice = random.Random(seed)
        self._entities = entities
        self._made = 0

    def event(self) -> NewEvent:
        """One more."""
        self._made += 1
        dice, n = self._dice, self._made
        kind, payload = dice.choices(
            [
                ("Created", {"n": n, "city": dice.choice("abc"), "text": "\0 ü" * (n % 3)}),
                ("Restored", {"n": n, "again": True}),
                ("Updated", {"merge_patch": {"n": n, f"field{n % 7}": [n, 1.5, None, "x"]}}),
                ("Updated", {"json_patch": [{"op": "add", "path": "/patched", "value": None}]}),
                ("Updated", {"json_patch": [{"op": "remove", "path": "/patched"}]}),
                ("Updated", {"no": "patch"}),
                ("Deleted", {}),
                ("Approved", {"by": "ann"}),
            ],
            weights=[3, 1, 8, 3, 3, 1, 1, 2],
        )[0]
        ident = f"user-{dice.randrange(self._entities)}"
        return new_event(ident, payload=json.dumps(payload).encode(), kind=f"User.{kind}")

    async def go_on(self, store: EventStore, events: int) -> None:
        """So many of them, a few at a time."""
        for first in range(0, events, 50):
            await asyncio.gather(*(store.append([self.event()]) for _ in range(min(50, events - first))))
