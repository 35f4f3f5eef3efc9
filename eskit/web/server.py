"""Makes connections, knows how many there are, and looks after them.

It relies on some names that aiohttp does not promise; tests/integration/test_web_connections.py fails without them.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from eskit.errors import EskitError, MalformedRequest, NotFound
from eskit.ids import token
from eskit.settings import Settings
from eskit.web.connection import LINGER_S, Connection
from eskit.web.problems import problem_response


def _translated(error: web.HTTPException) -> EskitError:
    if error.status == 404:
        return NotFound("There is nothing like that in this service")
    return MalformedRequest(f"The request cannot be answered: {error.reason}")


class Server(web.Server):
    """Makes connections, and looks after them."""

    def __init__(self, app: web.Application, settings: Settings, **options: Any) -> None:
        """For one application."""
        make_request = app._make_request  # noqa: SLF001 - as its own runner does

        def request_of(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
            protocol.head_complete(payload)
            return make_request(message, payload, protocol, writer, task)

        handle_by_app: Any = app._handle  # noqa: SLF001 - the same

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            try:
                return cast("web.StreamResponse", await handle_by_app(request))
            except web.HTTPException as error:
                # What no route of ours can match, `OPTIONS *` for one, and expectations that nobody can meet.
                return problem_response(_translated(error), token())
            except UnicodeEncodeError:
                # It quotes an expectation, in what it answers to those, that is no text.
                return problem_response(MalformedRequest("A header of the request is not UTF-8"), token())

        super().__init__(handle, request_factory=request_of, **options)
        self.settings = settings
        self._options = options

    @property
    def count(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    def __call__(self) -> RequestHandler:
        """One connection."""
        return Connection(self, loop=self._loop, **self._options)

    async def look_after_connections(self) -> None:
        """Go round until cancelled: one timer for all connections, none for each request."""
        settings = self.settings
        every_s = min(1.0, settings.header_timeout_s / 4, settings.write_timeout_s / 4)
        while True:
            await asyncio.sleep(every_s)
            now = self._loop.time()
            for connection in self.connections:
                cast("Connection", connection).look_after(now, settings)


class Runner(web.AppRunner):
    """Runs an application on such a server."""

    __slots__ = ("_looking_after", "_settings")

    def __init__(self, app: web.Application, settings: Settings) -> None:
        """Time-outs and limits are settings."""
        super().__init__(app, handle_signals=False, access_log=None, shutdown_timeout=settings.shutdown_s)
        self._settings = settings
        self._looking_after: asyncio.Task[None] | None = None

    async def _make_server(self) -> web.Server:
        settings = self._settings
        await super()._make_server()  # starts the application; its server is not ours
        server = Server(
            self.app,
            settings,
            access_log=None,
            auto_decompress=False,  # a bomb, and a corrupt stream is a 500: Content-Encoding is refused
            keepalive_timeout=settings.idle_timeout_s,
            lingering_time=LINGER_S,
            max_line_size=settings.max_header_bytes,
            max_field_size=settings.max_header_bytes,
            max_headers=settings.max_headers,
        )
        self._looking_after = asyncio.create_task(server.look_after_connections())
        return server

    async def cleanup(self) -> None:
        """Stop looking after connections when they are gone."""
        await super().cleanup()
        if self._looking_after is not None:
            self._looking_after.cancel()
