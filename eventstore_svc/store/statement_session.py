"""Prepared statements on a connection, with nothing between them and libpq.

A cursor of psycopg looks up how to convert each value, and waits for the socket through a task, for each execution. For
a group commit, and for a page of events, both are done already: a lone append takes half of the service's time so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import psycopg
from psycopg import AsyncConnection, pq
from psycopg.errors import error_from_result

# How often to look by oneself: uvloop tells nobody of a connection that was reset, so one could wait for it for ever.
LOOK_S = 0.2
_LAST_WORDS = frozenset({b"FATAL", b"PANIC"})
_GOOD = frozenset({pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK})


class StatementSession:
    """Executes statements, one at a time, while it watches the connection; meanwhile nobody else may use that."""

    def __init__(self, connection: AsyncConnection) -> None:
        """`watch` comes first, then `prepare` for each statement."""
        self._pgconn = connection.pgconn
        self._loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[pq.abc.PGresult] | None = None
        self._result: pq.abc.PGresult | None = None
        self._fd: int | None = None
        self.prepared: set[str] = set()

    def watch(self) -> None:
        """Begin to look after the connection; raises psycopg.OperationalError where it is closed."""
        self._fd = self._pgconn.socket
        self._loop.add_reader(self._fd, self._readable)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Look after it for as long as inside."""
        self.watch()
        try:
            yield
        finally:
            self.unwatch()

    async def prepare(self, name: str, text: str) -> None:
        """Parse a statement once; raises psycopg.Error."""
        self._pgconn.send_prepare(name.encode(), text.encode())
        await self._outcome()
        self.prepared.add(name)

    async def execute(
        self, name: str, values: Sequence[bytes | None], formats: Sequence[int] | None = None
    ) -> pq.abc.PGresult:
        """The answer of a prepared statement, in binary; raises psycopg.Error, OperationalError when it breaks.

        `formats` of the values, by default all text.
        """
        self._pgconn.send_query_prepared(name.encode(), values, formats, pq.Format.BINARY)
        return await self._outcome()

    @property
    def closed(self) -> bool:
        """Whether it can execute nothing (any more)."""
        return self._fd is None

    async def _outcome(self) -> pq.abc.PGresult:
        self._answer = self._loop.create_future()
        self._result = None
        self._looking = self._loop.call_later(LOOK_S, self._look)
        try:
            self._flush()
            result = await self._answer
        finally:
            self._looking.cancel()
            self._answer = None
        if result.status in _GOOD:
            return result
        if result.error_field(pq.DiagnosticField.SQLSTATE) is None:
            # Not the server's words but libpq's: it lost the connection.
            raise psycopg.OperationalError(result.get_error_message())
        raise error_from_result(result)

    def _flush(self) -> None:
        """Send what the socket takes; the rest when it takes more."""
        if self._fd is None:
            raise psycopg.OperationalError("the connection is closed")
        if self._pgconn.flush():
            self._loop.add_writer(self._fd, self._writable)

    def _writable(self) -> None:
        if self._fd is None:
            return
        self._loop.remove_writer(self._fd)
        try:
            self._flush()
        except psycopg.Error as error:
            self._broken(error)

    def _look(self) -> None:
        if self._fd is not None:
            self._looking = self._loop.call_later(LOOK_S, self._look)
            self._readable()

    def _readable(self) -> None:
        try:
            self._pgconn.consume_input()
            # Also while something is being sent: the server may say something that has to be read before it reads on.
            while not self._pgconn.is_busy():
                result = self._pgconn.get_result()
                if result is None:
                    self._finish()
                    break
                self._result = result
                if result.error_field(pq.DiagnosticField.SEVERITY_NONLOCALIZED) in _LAST_WORDS:
                    self._broken(psycopg.OperationalError("the server ended the session"))
                    return
        except psycopg.Error as error:
            self._broken(error)
        else:
            if self._pgconn.status != pq.ConnStatus.OK:
                self._broken(psycopg.OperationalError("the server closed the connection"))

    def _finish(self) -> None:
        if self._answer is not None and not self._answer.done() and self._result is not None:
            self._answer.set_result(self._result)

    def _broken(self, error: psycopg.Error) -> None:
        self.unwatch()
        if self._answer is None or self._answer.done():
            return
        if self._result is not None and self._result.status not in _GOOD:
            self._answer.set_result(self._result)  # the server's last word says more than a broken connection
        else:
            self._answer.set_exception(error)

    def unwatch(self) -> None:
        """Leave the connection to whoever closes it."""
        if self._fd is not None:
            with suppress(OSError, ValueError):
                self._loop.remove_reader(self._fd)
                self._loop.remove_writer(self._fd)
            self._fd = None
