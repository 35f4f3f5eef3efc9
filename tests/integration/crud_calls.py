"""Calls to a CRUD service in this process, as raw as HTTP has them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from urllib.parse import quote

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from crud_svc.api.resources import ENTITIES, STORE
from crud_svc.app import crud_app
from crud_svc.entities.entities import Entities
from eskit.events import Stored
from eskit.ids import uuid7
from eskit.names import EventType
from eskit.selectors import Selector
from eskit.settings import Settings
from eventstore_svc.store import EventStore, NewEvent
from tests.services import running

JSON, MERGE, JSON_PATCH = "application/json", "application/merge-patch+json", "application/json-patch+json"


class Reply(NamedTuple):
    """What came back."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def said(self) -> tuple[int, str | None]:
        """Status and error code."""
        return self.status, self.json.get("code") if self.body else None


class Crud:
    """The service, and the event store under it."""

    def __init__(self, url: str, session: aiohttp.ClientSession, store: EventStore, entities: Entities) -> None:
        self.url = url
        self.store = store
        self.entities = entities
        self._session = session

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """Any call. `body`: bytes as they are, text encoded, anything else as JSON. Headers with _ for -."""
        if body is not None and not isinstance(body, bytes):
            body = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            given.setdefault("Content-Type", JSON)
        url = URL(self.url + path, encoded=True)
        async with self._session.request(method, url, data=body, headers=given) as answer:
            return Reply(answer.status, answer.headers, await answer.read())

    async def create(self, ident: str, document: Any, kind: str = "User", **headers: str) -> Reply:
        return await self.call("PUT", path(ident, kind), document, If_None_Match="*", **headers)

    async def put(self, ident: str, document: Any, match: str = "*", **headers: str) -> Reply:
        return await self.call("PUT", path(ident), document, If_Match=match, **headers)

    async def merge(self, ident: str, patch: Any, match: str = "*", **headers: str) -> Reply:
        return await self.call("PATCH", path(ident), patch, If_Match=match, Content_Type=MERGE, **headers)

    async def patch(self, ident: str, patch: Any, match: str = "*", **headers: str) -> Reply:
        return await self.call("PATCH", path(ident), patch, If_Match=match, Content_Type=JSON_PATCH, **headers)

    async def delete(self, ident: str, match: str = "*", **headers: str) -> Reply:
        return await self.call("DELETE", path(ident), If_Match=match, **headers)

    async def get(self, ident: str, query: str = "", kind: str = "User", **headers: str) -> Reply:
        return await self.call("GET", path(ident, kind) + query, **headers)

    async def history(self, ident: str, query: str = "") -> Reply:
        return await self.call("GET", f"{path(ident)}/history{query}")

    async def foreign(
        self, ident: str, action: str = "Approved", payload: bytes = b'{"by":"ann"}', kind: str = "User"
    ) -> None:
        """An event that others put into the entity's stream."""
        event = NewEvent(
            event_id=uuid7(),
            id_is_given=False,
            type=EventType(kind, action),
            originator_id=ident,
            payload=payload,
            metadata=b"{}",
        )
        await self.store.append([event])

    async def events(self) -> list[Stored]:
        """The whole log."""
        return (await self.store.log(1, 1000, Selector("*"))).events

    async def payloads(self, ident: str) -> list[tuple[str, str]]:
        """What the entity's stream says."""
        return [(e.action, e.payload) for e in (await self.store.stream("User", ident, limit=1000)).events]


def path(ident: str, kind: str = "User") -> str:
    """The path of an entity."""
    return f"/v1/entities/{kind}/{quote(ident, safe='')}"


@asynccontextmanager
async def crud_service(config: Settings) -> AsyncIterator[Crud]:
    """A service of one's own."""
    app = crud_app(config)
    async with running(app, config, "crud_port") as url, aiohttp.ClientSession() as session:
        yield Crud(url, session, app[STORE], app[ENTITIES])
