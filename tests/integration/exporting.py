"""Logs with an event store and a CRUD service each, and the commands that carry entities from one to the other."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from eskit.settings import Settings
from eventstore_svc.app import eventstore_app
from tests.integration.crud_calls import Crud, crud_service
from tests.services import ROOT, environment, own_log, running


class Said(NamedTuple):
    """What a command has answered."""

    code: int
    out: bytes
    err: str

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


class Log:
    """A log's services, and the command against them."""

    def __init__(self, crud: Crud, eventstore_url: str) -> None:
        self.crud = crud
        self.crud_url = crud.url
        self.eventstore_url = eventstore_url

    async def run(self, *arguments: str | Path) -> Said:
        """`eskit …`, with the URLs of this log's services."""
        urls = ["--crud-url", self.crud_url, "--eventstore-url", self.eventstore_url]
        process = await self.start(*arguments, *urls)
        out, err = await process.communicate()
        assert process.returncode is not None
        return Said(process.returncode, out, err.decode())

    async def start(self, *arguments: str | Path) -> asyncio.subprocess.Process:
        """`eskit …` on its way."""
        pipe = asyncio.subprocess.PIPE
        command = [sys.executable, "-m", "eskit", *map(str, arguments)]
        return await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, cwd=ROOT)


@asynccontextmanager
async def logs(config: Settings, count: int = 2) -> AsyncIterator[list[Log]]:
    """So many logs in one database."""
    async with AsyncExitStack() as stack:
        found = []
        for _ in range(count):
            own = await asyncio.to_thread(own_log, config.database_url, "")
            url = await stack.enter_async_context(running(eventstore_app(own), own, "eventstore_port"))
            found.append(Log(await stack.enter_async_context(crud_service(own)), url))
        yield found


async def verify_entities(config: Settings, *arguments: str) -> Said:
    """`eskit verify entities`."""
    pipe = asyncio.subprocess.PIPE
    command = [sys.executable, "-m", "eskit", "verify", "entities", *arguments]
    environ = os.environ | environment(config)
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, cwd=ROOT, env=environ)
    out, err = await process.communicate()
    assert process.returncode is not None
    return Said(process.returncode, out, err.decode())
