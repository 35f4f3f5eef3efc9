"""The services in this process, on a log in memory: no database, no broker, no port.

They are the services themselves, with all their calls, rules and errors; only what they keep is a list. Each client
talks to them over a pair of sockets, as it would over the network.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.client_proto import ResponseHandler

from eskit.client.http import Connections
from eskit.settings import Settings
from eskit.testing.log import Log
from eskit.web.server import Runner


@dataclass(frozen=True)
class InProcess:
    """Where clients find the services: `Entities(services.crud, "User", User)`, `EventStore(services.eventstore)`.

    `log` is what both of them have stored: for asserts, and for consumers (`consume(billing, services.log)`).
    """

    log: Log
    eventstore: Connections
    crud: Connections


@asynccontextmanager
async def in_process(log: Log | None = None) -> AsyncIterator[InProcess]:
    """Run the event store and the CRUD service while inside; `log`: one that has events already."""
    log = Log() if log is None else log
    async with AsyncExitStack() as stack:
        opened = {}
        for entry in entry_points(group="eskit.in_process"):
            settings = Settings()
            runner = Runner(entry.load()(log, settings), settings)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            opened[entry.name] = await stack.enter_async_context(_ServiceConnections(runner, entry.name))
        yield InProcess(log, **opened)


class _ServiceConnections(Connections):
    def __init__(self, runner: Runner, name: str) -> None:
        super().__init__(f"http://{name}.in-process")
        self._runner = runner

    def connector(self) -> aiohttp.BaseConnector:
        return _Connector(self._runner)


class _Connector(aiohttp.BaseConnector):
    """Makes each connection a pair of sockets: one end is the client's, the other the server's."""

    def __init__(self, runner: Runner) -> None:
        super().__init__(limit=0)
        self._runner = runner

    async def _create_connection(self, *_: Any) -> ResponseHandler:
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        server = self._runner.server
        if not isinstance(server, web.Server):
            raise aiohttp.ClientConnectionError("the services have ended")
        await loop.connect_accepted_socket(server, theirs)
        made = await loop.create_unix_connection(self._factory, sock=ours)
        return made[1]
