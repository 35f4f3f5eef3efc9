"""What aiohttp leaves open on a connection: half a head, readers that do not read, too many, odd protocols, who leaves.

It relies on some names that aiohttp does not promise; tests/integration/test_web_connections.py fails without them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, cast

from aiohttp import StreamReader, web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler, _ErrInfo

from eskit import logs
from eskit.errors import EskitError, HeaderTooLarge, MalformedRequest, Overloaded, RequestTimeout, UriTooLong
from eskit.ids import token
from eskit.settings import Settings
from eskit.web.answers import Answer
from eskit.web.problems import problem_response

if TYPE_CHECKING:
    from eskit.web.server import Server

log = logs.get(__name__)

LINGER_S = 2.0  # how long what still comes is thrown away after the last answer, so that the client gets to read that
REFUSED_LINGER_S = 0.2  # the same where there are too many connections already
_TOO_MANY = "Too many headers"


class Connection(RequestHandler):
    """One client's connection."""

    __slots__ = (
        "_body",
        "_head_since",
        "_line_too_long",
        "_opened",
        "_patience",
        "_settings",
        "_to_be_told",
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
        self._patience: asyncio.Timeout | None = None  # of who waits for the client to read
        self._body: StreamReader | None = None  # of the last request that was begun
        self._to_be_told: asyncio.Task[Any] | None = None  # who is to end when the client leaves

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
        if self._messages and isinstance(self._messages[-1][0], _ErrInfo) and self._body and not self._body.is_eof():
            # The rest of a body is no HTTP. aiohttp would answer that next, but who reads the body waits for its end.
            self._body.set_exception(web.PayloadAccessError())

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio asks whether to keep the connection open
        """The client sends nothing more: it may still read, and gets the answer to what it has sent whole."""
        if self._to_be_told is not None or len(self._messages) > 1:
            return False
        idle = self._waiter is not None and not self._messages
        body = self._messages[0][1] if self._messages else self._body
        answers = not idle and body is not None and body.is_eof()
        self._close = self._close or answers
        return answers

    def connection_lost(self, exc: BaseException | None) -> None:
        """Nobody waits for a client that has left."""
        if self._to_be_told is not None:
            self._to_be_told.cancel()
        super().connection_lost(exc)

    @contextmanager
    def until_left(self) -> Iterator[None]:
        """The inside is cancelled when the client leaves: for what only waits. What stores something goes on."""
        self._to_be_told = asyncio.current_task()
        try:
            yield
        finally:
            self._to_be_told = None

    @asynccontextmanager
    async def while_read(self) -> AsyncIterator[None]:
        """The inside, a write that waits for the client, gets a TimeoutError when that reads nothing for too long."""
        async with asyncio.timeout(None) as patience:
            self._patience = patience
            try:
                yield
            finally:
                self._patience = None

    def head_complete(self, body: StreamReader) -> None:
        """A request is there, its body perhaps not yet."""
        self._head_since = 0.0
        self._body = body

    def handle_error(
        self,
        request: web.BaseRequest,  # noqa: ARG002 - aiohttp passes it
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What cannot be read, or failed outside of every handler, as a problem of ours."""
        if status >= 500:
            if not isinstance(exc, ConnectionError):  # else the client has left, and nobody reads this
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
        elif now - self._unread_since > patience_s:
            if self._patience is not None:
                self._patience.reschedule(now)
            elif not self.streaming or now - self._unread_since > 2 * patience_s:
                transport.abort()
        self._unread_bytes = unread

    @property
    def unread_s(self) -> float:
        """How long nothing has been read of what is ready for the client."""
        return self._loop.time() - self._unread_since if self._unread_bytes else 0.0


def connection_of(request: web.BaseRequest) -> Connection:
    """The connection that a request came by."""
    return cast("Connection", request.protocol)
