"""The CRUD service with its entity view, and all that is between them, in a test's own process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from msgspec.structs import replace

from crud_svc.view.process import view_app
from crud_svc.view.process import work as view_work
from eskit.settings import Settings
from eventstore_svc.relay.app import relay_app
from eventstore_svc.relay.app import work as relay_work
from tests.integration.consuming import offsets_service
from tests.integration.crud_calls import Crud, crud_service
from tests.services import running, until


class Lists:
    """Lists of the type User."""

    def __init__(self, crud: Crud) -> None:
        self.crud = crud

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


@asynccontextmanager
async def working(app: web.Application, config: Settings, port: str, work: Callable[[Any], Awaitable[None]]) -> AsyncIterator[str]:
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
    async with offsets_service(log_config) as config:
        async with working(relay_app(config), config, "relay_port", relay_work):
            yield config


@asynccontextmanager
async def viewed(log_config: Settings, **changes: Any) -> AsyncIterator[Lists]:
    """All of it."""
    async with relayed(replace(log_config, **changes)) as config:
        async with view_process(config), crud_service(config) as crud:
            lists = Lists(crud)
            await until(lists.there)
            yield lists
