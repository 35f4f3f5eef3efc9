"""A whole answer in one write: for bodies that are ready, which are nearly all of ours.

aiohttp's own `web.Response` looks for headers it might have to merge, for compression and chunks: up to a tenth of a
small request.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from email.utils import formatdate
from http import HTTPStatus

from aiohttp import HttpVersion10, web
from aiohttp.abc import AbstractStreamWriter

_REASONS = {int(status): status.phrase for status in HTTPStatus}
# RFC 9110, 6.4.1: these have no body, whatever the request was.
_BODILESS = frozenset({204, 304})


class _Clock:
    """The Date header's text, made once a second."""

    def __init__(self) -> None:
        self._second = 0
        self._text = ""

    def text(self) -> str:
        second = int(time.time())
        if second != self._second:
            self._second, self._text = second, formatdate(second, usegmt=True)
        return self._text


_clock = _Clock()


class Answer(web.StreamResponse):
    """A status, headers and a body that are complete before the first byte is sent."""

    def __init__(
        self, body: bytes = b"", *, status: int = 200, content_type: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        """`headers` beside Content-Type, Content-Length, Date and Connection, which are set here."""
        super().__init__(status=status, reason=_REASONS.get(status, ""))
        self._content = body
        self._media_type = content_type
        for name, value in (headers or {}).items():
            _line(name, value)  # here, where the error can still become an answer
            self.headers[name] = value

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send all of it."""
        if self.prepared:
            return None
        writer = self._payload_writer = request._payload_writer  # noqa: SLF001 - where aiohttp's own answers write to
        keep = self._keep_alive = request.keep_alive if self._keep_alive is None else self._keep_alive
        version = request.version
        head = self._head(f"HTTP/1.{version.minor if version.major == 1 else 1}", keep, version == HttpVersion10)
        without_body = self.status in _BODILESS or request.method == "HEAD"
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("The client has gone")
        transport.write(head if without_body else head + self._content)
        await writer.drain()
        return writer

    def closing(self) -> bytes:
        """All of it, for a connection that is closed then, and on which there may have been no request."""
        return self._head("HTTP/1.1", keep=False, old=False) + self._content

    def _head(self, protocol: str, keep: bool, old: bool) -> bytes:
        lines = [f"{protocol} {self.status} {self.reason}"]
        if self._media_type:
            lines.append(f"Content-Type: {self._media_type}")
        if self.status not in _BODILESS:
            lines.append(f"Content-Length: {len(self._content)}")
        lines.append(f"Date: {_clock.text()}")
        if not keep:
            lines.append("Connection: close")
        elif old:
            lines.append("Connection: keep-alive")
        lines += [_line(name, value) for name, value in self.headers.items()]
        return "\r\n".join(lines).encode() + b"\r\n\r\n"

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to send."""
        if data:
            raise ValueError("the body is complete already")
        self._eof_sent = True


def _line(name: str, value: str) -> str:
    if not value.isprintable() or not name.isprintable():
        raise ValueError(f"header {name!r} has a character that could end it")
    return f"{name}: {value}"
