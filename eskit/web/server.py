"""What aiohttp leaves open at the level of connections: half a head, readers that do not read, too many, odd protocols.

It relies on some names that aiohttp does not promise; tests/integration/test_web_connections.py fails without them.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler

from eskit import logs
from eskit.errors import EskitError, HeaderTooLarge, MalformedRequest, NotFound, Overloaded, RequestTimeout, UriTooLong
from eskit.ids import token
from eskit.settings import Settings
from eskit.web.answers import Answer
from eskit.web.problems import problem_response

log = logs.get(__name__)

LINGER_S = 2.0  # how long what still comes is thrown away after the last answer, so that the client gets to read that
REFUSED_LINGER_S = 0.2  # the same where there are too many connections already
_TOO_MANY = "Too many headers"


class Connection(RequestHandler):
    """One client's connection."""

    __slots__ = (
        "_head_since",
        "_line_too_long",
        "_opened",
        "_settings",
        "_unread_bytes",
        "_unread_since",
        "_unreadable_sent",
        "streaming",
    )

    def __init__(self, server: Server, **options: Any) -> None:
        """As aiohttp makes it."""
        super().__init__(server, **options)
        self._settings = server.settings
        self._opened = self._loop.time()
        self._head_since = 0.0  # when the first byte of a head came that is not complete; 0: none
        self._line_too_long = False
        self._unread_bytes = 0
        self._unread_since = 0.0
        self._unreadable_sent = False
        self.streaming = False  # what is written looks after its reader by itself, and gets the time for a last word

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Refuse it at once where there are too many."""
        server = cast("Server", self._manager)
        if server.count < server.settings.max_connections:
            super().connection_made(transport)
            return
        limit = server.settings.max_connections
        error = Overloaded(f"{limit} connections are open (ESKIT_MAX_CONNECTIONS); try again")
        self._manager = None
        self._last_word(cast("asyncio.Transport", transport), problem_response(error, token()), REFUSED_LINGER_S)

    async def start(self) -> None:
        """As aiohttp does it; what could not be read is answered, and has the client's time to read that."""
        await super().start()
        if self._unreadable_sent and self.transport is not None:
            self._linger(self.transport, LINGER_S)

    def data_received(self, data: bytes) -> None:
        """Remember since when a head is on its way."""
        # Of a new connection the task that waits for requests may not have begun to.
        if not self._head_since and (self._waiter is not None or not self._request_count):
            self._head_since = self._loop.time()
            self._line_too_long = len(data) > self.max_line_size and b"\n" not in data[: self.max_line_size]
        super().data_received(data)

    def head_complete(self) -> None:
        """A request is there."""
        self._head_since = 0.0

    def handle_error(
        self,
        request: web.BaseRequest,  # noqa: ARG002 - aiohttp passes it
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What cannot be read, or failed outside of every handler, as a problem of ours."""
        if status >= 500:
            log.error("request failed", exc_info=exc)
            error = EskitError("Something went wrong on our side")
        else:
            error = self._unreadable(exc, message or "")
            log.debug("request refused", error=error.code, kind=type(exc).__name__)
            # What follows cannot be read either. And so aiohttp leaves closing to `start`.
            self._force_close = self._unreadable_sent = True
        answer = problem_response(error, token())
        answer.force_close()
        return answer

    def _last_word(self, transport: asyncio.Transport, answer: Answer, linger_s: float) -> None:
        transport.write(answer.closing())
        self._linger(transport, linger_s)

    def _linger(self, transport: asyncio.Transport, seconds: float) -> None:
        """Close, in a while: with bytes of the client unread it would be a reset, and that takes the answer away."""
        self._force_close = True  # from now on aiohttp throws away what comes
        if transport.can_write_eof():
            transport.write_eof()
        self._loop.call_later(seconds, transport.abort)

    def _unreadable(self, exc: BaseException | None, message: str) -> EskitError:
        # Never aiohttp's own words: they quote what the client has sent.
        limit = self.max_line_size
        if isinstance(exc, LineTooLong):
            if self._line_too_long:
                message = f"The request line has more than {limit} bytes (ESKIT_MAX_HEADER_BYTES)"
                return UriTooLong(message, field="request-line", limit=limit)
            message = f"A header has more than {limit} bytes (ESKIT_MAX_HEADER_BYTES)"
            return HeaderTooLarge(message, field="headers", limit=limit)
        if message.startswith(_TOO_MANY):
            limit = self._settings.max_headers
            message = f"The request has more than {limit} headers (ESKIT_MAX_HEADERS)"
            return HeaderTooLarge(message, field="headers", limit=limit)
        return MalformedRequest(f"This is no request of HTTP/1.1 that can be read ({type(exc).__name__})")

    def look_after(self, now: float, settings: Settings) -> None:
        """End what takes too long; called every now and then."""
        transport = self.transport
        if transport is None or self._force_close:
            return
        if self._waiter is not None and self._head_since and now - self._head_since > settings.header_timeout_s:
            error = RequestTimeout(f"The request's head did not arrive within {settings.header_timeout_s:g} s")
            self._last_word(transport, problem_response(error, token()), LINGER_S)
        elif not self._request_count and not self._head_since and now - self._opened > settings.header_timeout_s:
            self.force_close()
        else:
            self._look_after_reader(transport, now, settings.write_timeout_s)

    def _look_after_reader(self, transport: asyncio.Transport, now: float, patience_s: float) -> None:
        unread = transport.get_write_buffer_size()
        if not unread or unread < self._unread_bytes or not self._unread_since:
            self._unread_since = now
        elif now - self._unread_since > (2 * patience_s if self.streaming else patience_s):
            transport.abort()
        self._unread_bytes = unread

    @property
    def unread_s(self) -> float:
        """How long nothing has been read of what is ready for the client."""
        return self._loop.time() - self._unread_since if self._unread_bytes else 0.0


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
            protocol.head_complete()
            return make_request(message, payload, protocol, writer, task)

        handle_by_app: Any = app._handle  # noqa: SLF001 - the same

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            try:
                return cast("web.StreamResponse", await handle_by_app(request))
            except web.HTTPException as error:
                # What no route of ours can match, `OPTIONS *` for one, and expectations that nobody can meet.
                return problem_response(_translated(error), token())

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
