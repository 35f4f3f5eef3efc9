"""Entities through the client while answers get lost and the service is killed: every write is stored once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from crud_svc.app import crud_app
from eskit.client import Connections, Entities
from eskit.errors import PreconditionFailed
from eskit.settings import Settings
from tests.cutting import cutting
from tests.services import ServiceProcess, processes, running

WRITERS, UPDATES = 6, 8


@dataclass
class Counter:
    count: int = 0


def more(counter: Counter) -> Counter:
    return replace(counter, count=counter.count + 1)


async def count(crud: Connections, done: asyncio.Semaphore) -> None:
    """Many writers on one entity; each has its say every time, as often as others come between."""
    counters = Entities(crud, "Counter", Counter)

    async def write() -> None:
        for _ in range(UPDATES):
            updated = False
            while not updated:
                try:
                    await counters.update("c", more)
                    updated = True
                except PreconditionFailed:
                    continue
            done.release()
        for number in range(UPDATES):
            await counters.create(Counter(number))

    await asyncio.gather(*(write() for _ in range(WRITERS)))


async def check(crud: Connections) -> None:
    """Each update was stored once, and each entity that was created, too."""
    counters = Entities(crud, "Counter", Counter)
    found = await counters.get("c")
    assert (found.document.count, found.version) == (WRITERS * UPDATES, 1 + WRITERS * UPDATES)
    counts = [event.changes[-1].new async for event in counters.whole_history("c")]
    assert counts == list(range(WRITERS * UPDATES + 1))
    last = await counters.create(Counter())
    assert last.position == 2 + 2 * WRITERS * UPDATES  # nothing else is in the log


@pytest.mark.parametrize("after_bytes", [450, 1200, 2500])
async def test_writes_whose_answers_get_lost_are_stored_once(config: Settings, after_bytes: int) -> None:
    async with running(crud_app(config), config, "crud_port") as url, Connections(url) as straight:
        await Entities(straight, "Counter", Counter).create(Counter(), ident="c")
        async with cutting(url, after_bytes) as broken, Connections(broken, patience_s=60) as crud:
            await count(crud, asyncio.Semaphore(0))
        await check(straight)


@asynccontextmanager
async def service(config: Settings) -> AsyncIterator[ServiceProcess]:
    process = ServiceProcess("crud_svc", config, "crud_port")
    with processes(process):
        yield await process.start().ready()


async def test_writes_go_on_after_the_service_was_killed(config: Settings) -> None:
    async with service(config) as process, Connections(process.url, patience_s=60) as crud:
        await Entities(crud, "Counter", Counter).create(Counter(), ident="c")
        done = asyncio.Semaphore(0)
        counting = asyncio.create_task(count(crud, done))
        for _ in range(2):
            for _ in range(WRITERS * UPDATES // 3):
                await done.acquire()
            process.kill()
            await process.start().ready()
        await counting
        await check(crud)
