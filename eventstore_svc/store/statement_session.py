"""One prepared statement on a connection of its own, binary both ways, with nothing between it and libpq.

A cursor of psycopg looks up how to convert each value, and watches the socket anew, for each execution.
For a group commit both are done already, and the database stands idle meanwhile: this takes a third of the time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import psycopg
from psycopg import AsyncConnection, pq
from psycopg.errors import error_from_result

_NAME = b"eskit"
_GOOD = frozenset({pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK})


class StatementSession:
    """Executes the statement, one execution at a time. The connection must not be used for anything else."""

    def __init__(self, connection: AsyncConnection, parameters: int) -> None:
        """`parameters` is how many the statement has. Call `prepare` next."""
        self._pgconn = connection.pgconn
        self._binary = [pq.Format.BINARY] * parameters
        self._loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[pq.abc.PGresult] | None = None
        self._result: pq.abc.PGresult | None = None
        self._fd: int | None = self._pgconn.socket
        self._loop.add_reader(self._fd, self._readable)

    async def prepare(self, text: str) -> None:
        """Parse the statement once; raises psycopg.Error."""
        self._pgconn.send_prepare(_NAME, text.encode())
        await self._outcome()

    async def execute(self, values: Sequence[bytes]) -> list[bytes | None]:
        """The columns of the one row it answers, in binary; raises psycopg.Error, OperationalError when it breaks."""
        self._pgconn.send_query_prepared(_NAME, values, self._binary, pq.Format.BINARY)
        result = await self._outcome()
        return [result.get_value(0, column) for column in range(result.nfields)]

    @property
    def closed(self) -> bool:
        """Whether it can execute no more."""
        return self._fd is None

    async def _outcome(self) -> pq.abc.PGresult:
        self._answer = self._loop.create_future()
        self._result = None
        try:
            self._flush()
            result = await self._answer
        finally:
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
