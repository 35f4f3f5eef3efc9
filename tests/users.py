"""For the tests of the users example: processes that die or stand still at a call, and who has which address."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import aiohttp

from eskit.client import Connections, EventStore
from eskit.client.event_types import Wanted
from eskit.client.http import Answer
from eskit.errors import EskitError
from eskit.testing import InProcess
from examples.users.addresses import Addresses
from examples.users.app import users_app
from examples.users.model import NewUser
from examples.users.users import Users
from tests.clients import Services
from tests.services import config_for, running

CALLS = range(1, 12)
"""No operation makes more calls."""


class DiedError(Exception):
    """The process has died."""


class Breaking(Connections):
    """Connections of a process that dies, or stands still until told otherwise, at its n-th call."""

    def __init__(self, crud: Connections, at: int, *, after: bool = False, gate: asyncio.Event | None = None) -> None:
        super().__init__(crud.url)
        self._inner, self._break_at, self._after, self._gate = crud, at, after, gate
        self.calls = 0
        self.reached = asyncio.Event()

    async def call(self, *arguments: Any, **more: Any) -> Answer:
        self.calls += 1
        here = self.calls == self._break_at
        if here and not self._after:
            await self._break()
        answer = await self._inner.call(*arguments, **more)
        if here and self._after:
            await self._break()
        return answer

    async def _break(self) -> None:
        self.reached.set()
        if self._gate is None:
            raise DiedError
        await self._gate.wait()


def ann(email: str = "ann@example.org", name: str = "Ann") -> NewUser:
    return NewUser(email=email, first_name=name, last_name="Lee", workspaces=["home"])


async def holders(services: InProcess | Services) -> dict[str, str]:
    """Who has which address now. Fails where an address was ever given to two at a time, by all that was recorded."""
    records = Addresses(services.crud).records
    given: dict[str, list[tuple[float, float, str]]] = {}
    events = EventStore(services.eventstore).events(wanted=Wanted(entity_type="users.User"))
    for ident in dict.fromkeys([event.originator.id async for event in events]):
        since: dict[str, float] = {}
        async for event in records.whole_history(ident, field="/email"):
            change = next(change for change in event.changes if change.path == "/email")
            if isinstance(change.old, str):
                begun = since.pop(change.old.casefold())
                given.setdefault(change.old.casefold(), []).append((begun, event.position, ident))
            if isinstance(change.new, str):
                since[change.new.casefold()] = event.position
        for email, begun in since.items():
            given.setdefault(email, []).append((begun, float("inf"), ident))
    for email, times in given.items():
        times.sort()
        for (_, end, one), (begin, _, other) in pairwise(times):
            assert end <= begin, f"{email} was {one}'s and {other}'s"
    found = {email: ident for email, times in given.items() for _, end, ident in times if end == float("inf")}
    for email, ident in found.items():
        assert (await Users(services.crud).with_email(email)).id == ident
    return found


class Asleep(Users):
    """Its process stands still at one call, until the gate opens."""

    def __init__(self, crud: Connections, at: int, *, after: bool) -> None:
        self.gate = asyncio.Event()
        self.breaking = Breaking(crud, at, after=after, gate=self.gate)
        super().__init__(self.breaking, wish_s=0)


async def meanwhile(users: Asleep, slow: Awaitable[Any], quick: Awaitable[Any]) -> list[Any]:
    """Let the slow one go until it stands still, the other one to its end, then the slow one; what came of both."""
    going = asyncio.ensure_future(outcome(slow))
    reached = asyncio.create_task(users.breaking.reached.wait())
    await asyncio.wait([going, reached], return_when=asyncio.FIRST_COMPLETED)
    reached.cancel()
    outcomes = [await outcome(quick)]
    users.gate.set()
    return [*outcomes, await going]


async def outcome(work: Awaitable[Any]) -> Any:
    try:
        return await work
    except (EskitError, DiedError) as error:
        return error


@asynccontextmanager
async def in_process_app(services: InProcess) -> AsyncIterator[Callable[..., Awaitable[Any]]]:
    """The example's own service on these; `await call(method, path, body)` is the JSON of its answer."""
    config = config_for("")
    async with (
        running(users_app(config, services.crud), config, "crud_port") as url,
        aiohttp.ClientSession() as session,
    ):

        async def call(method: str, path: str, body: Any = None) -> Any:
            async with session.request(method, url + path, json=body) as answer:
                assert answer.status < 300, await answer.text()
                return await answer.json()

        yield call
