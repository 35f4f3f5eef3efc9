"""The service over HTTP: `python -m examples.users`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import UNSET, Meta

from eskit.client import Connections, Entity, Query
from eskit.errors import EskitError
from eskit.settings import Settings
from eskit.web import bodies, queries
from eskit.web.answers import Answer
from eskit.web.app import create_app
from examples.users.model import NewUser, Record, User, UserChange
from examples.users.users import Users, declare_indexes

USERS: web.AppKey[Users] = web.AppKey("users", Users)
JSON = "application/json"

_new = msgspec.json.Decoder(NewUser)
_change = msgspec.json.Decoder(UserChange)


class ListQuery(msgspec.Struct, kw_only=True):
    """Which users: `email` finds one, the others list."""

    email: str | None = None
    active: bool | None = None
    last_name: str | None = None
    limit: Annotated[int, Meta(ge=1, le=1000)] = 10
    cursor: str | None = None


class UsersPage(msgspec.Struct):
    """A page; `next` is the cursor to go on with, null at the end."""

    users: list[User]
    next: str | None


async def create(request: web.Request) -> Answer:
    """201, or 409 `email-taken`. With an Idempotency-Key it may be sent again."""
    new = bodies.decode(await bodies.read(request, JSON), _new)
    made = shown(await request.app[USERS].create(new, request.headers.get("Idempotency-Key")))
    return bodies.json_response(made, status=201, headers={"Location": f"/users/{made.id}"})


async def get(request: web.Request) -> Answer:
    """One user."""
    return bodies.json_response(shown(await request.app[USERS].get(request.match_info["id"])))


async def change(request: web.Request) -> Answer:
    """Some members of a user; a new address is reserved first, the old one freed afterwards."""
    wanted = bodies.decode(await bodies.read(request, JSON), _change)
    return bodies.json_response(shown(await request.app[USERS].change(request.match_info["id"], wanted)))


async def delete(request: web.Request) -> Answer:
    """The end of a user; the address is free."""
    await request.app[USERS].delete(request.match_info["id"])
    return Answer(status=204)


async def find(request: web.Request) -> Answer:
    """A page of users, or the one with an address."""
    query, users = queries.parse(request, ListQuery), request.app[USERS]
    if query.email is not None:
        return bodies.json_response(UsersPage([shown(await users.with_email(query.email))], None))
    where = {"active": query.active, "last_name": query.last_name}
    wanted = Query(where={name: value for name, value in where.items() if value is not None}, sort="last_name")
    page = await users.list(wanted, limit=query.limit, cursor=query.cursor)
    # Records without an address are sign-ups that are not over: a page may have fewer users than its limit.
    listed = [shown(found) for found in page.entities if found.document.email is not UNSET]
    return bodies.json_response(UsersPage(listed, page.next))


def shown(found: Entity[Record]) -> User:
    """A record as it is answered."""
    record = found.document
    if record.email is UNSET:
        raise EskitError(f"The user {found.id} has no address")
    return User(
        id=found.id,
        version=found.version,
        email=record.email,
        first_name=record.first_name,
        last_name=record.last_name,
        active=record.active,
        workspaces=record.workspaces,
    )


def users_app(settings: Settings, crud: Connections | None = None) -> web.Application:
    """The service, on the CRUD service of the settings, or on connections that are open."""

    async def opened(app: web.Application) -> AsyncIterator[None]:
        if crud is not None:
            app[USERS] = Users(crud)
            yield
            return
        async with Connections(settings.crud_url) as own:
            await declare_indexes(own)
            app[USERS] = Users(own)
            yield

    routes = [
        web.post("/users", create),
        web.get("/users", find),
        web.get("/users/{id}", get),
        web.patch("/users/{id}", change),
        web.delete("/users/{id}", delete),
    ]
    return create_app("users", settings, routes=routes, resources=[opened])
