"""The users example as processes on real services: used over HTTP by many, killed, started again."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import aiohttp
import pytest

from eskit.client import EventStore
from examples.users.users import Users
from infra.local.ports import free_port
from tests.clients import Services, on_postgres
from tests.services import ROOT, until
from tests.users import ann, holders

EMAILS = [f"{name}@example.org" for name in "abcd"]
KILLS = 3


@pytest.fixture
async def services(database_url: str) -> AsyncIterator[Services]:
    async with on_postgres(database_url) as found:
        yield found


class Instance:
    """`python -m examples.users`, to be killed and started again on the same port."""

    def __init__(self, crud_url: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environ = os.environ | {"ESKIT_CRUD_URL": crud_url}
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "examples.users", "--port", str(self.port)]
        self._process = subprocess.Popen(command, env=self._environ, cwd=ROOT, stdout=subprocess.DEVNULL)

    def end(self, signum: signal.Signals = signal.SIGKILL) -> int:
        self._process.send_signal(signum)
        return self._process.wait(15)

    async def ready(self, session: aiohttp.ClientSession) -> bool:
        try:
            async with session.get(f"{self.url}/readyz") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False


@contextmanager
def instances(crud_url: str, count: int) -> Iterator[list[Instance]]:
    started = [Instance(crud_url) for _ in range(count)]
    try:
        yield started
    finally:
        for instance in started:
            instance.end()


async def call(session: aiohttp.ClientSession, method: str, url: str, body: Any = None) -> tuple[int, Any]:
    """Status and body; (0, None) when there was no answer."""
    try:
        async with session.request(method, url, json=body) as answer:
            return answer.status, await answer.json() if answer.status != 204 else None
    except aiohttp.ClientError:
        return 0, None


def body(email: str) -> dict[str, Any]:
    return {"email": email, "first_name": "Ann", "last_name": "Lee", "workspaces": ["home"]}


async def test_the_calls_over_http(services: Services) -> None:
    with instances(services.crud.url, 1) as (one,):
        async with aiohttp.ClientSession() as session:
            await until(partial(one.ready, session))
            users = f"{one.url}/users"
            status, made = await call(session, "POST", users, body("ann@example.org"))
            assert (status, made["email"], made["active"]) == (201, "ann@example.org", True)
            status, taken = await call(session, "POST", users, body("ANN@example.org"))
            assert (status, taken["code"], taken["field"]) == (409, "email-taken", "email")
            status, wrong = await call(session, "POST", users, body("nonsense"))
            assert (status, wrong["code"], wrong["field"]) == (422, "invalid-request", "email")
            path = f"{users}/{made['id']}"
            status, changed = await call(session, "PATCH", path, {"active": False, "email": "lee@example.org"})
            assert (status, changed["active"], changed["email"]) == (200, False, "lee@example.org")
            assert await call(session, "GET", path) == (200, changed)
            assert await call(session, "GET", f"{users}?email=lee@example.org") == (
                200,
                {"users": [changed], "next": None},
            )
            assert (await call(session, "GET", f"{users}?email=ann@example.org"))[0] == 404
            assert await call(session, "DELETE", path) == (204, None)
            assert (await call(session, "GET", path))[0] == 410
        assert one.end(signal.SIGTERM) == 0


async def some_more(services: Services) -> None:
    """Return when a good many events have been stored."""
    events = EventStore(services.eventstore)
    wanted = (await events.head()).position + 40

    async def there() -> bool:
        return (await events.head()).position >= wanted

    await until(there)


async def test_two_processes_that_are_killed_give_no_address_twice_and_lose_none(services: Services) -> None:
    chance = random.Random(1)
    known: list[str] = []
    statuses: set[int] = set()
    with instances(services.crud.url, 2) as both:
        async with aiohttp.ClientSession() as session:
            for one in both:
                await until(partial(one.ready, session))
            done = asyncio.Event()

            async def use() -> None:
                while not done.is_set():
                    users, email = f"{chance.choice(both).url}/users", chance.choice(EMAILS)
                    ident = chance.choice([*known, None, None])
                    if ident is None:
                        status, made = await call(session, "POST", users, body(email))
                        known.extend([made["id"]] if status == 201 else [])
                    elif chance.random() < 0.3:
                        status, _ = await call(session, "DELETE", f"{users}/{ident}")
                    else:
                        status, _ = await call(session, "PATCH", f"{users}/{ident}", {"email": email})
                    statuses.add(status)

            using = [asyncio.create_task(use()) for _ in range(6)]
            for victim in chance.choices(both, k=KILLS):
                await some_more(services)
                victim.end()
                victim.start()
                await until(partial(victim.ready, session))
            done.set()
            await asyncio.gather(*using)
    assert {0, 201, 409} <= statuses <= {0, 200, 201, 204, 404, 409, 410}
    for email in set(EMAILS) - (await holders(services)).keys():
        await Users(services.crud, wish_s=0).create(ann(email))
    assert (await holders(services)).keys() == set(EMAILS)
