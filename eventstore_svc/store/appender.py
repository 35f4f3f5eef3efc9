"""The one connection that appends, and finding out what became of a batch when it breaks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, LiteralString, NamedTuple

import psycopg
from psycopg import AsyncConnection

from eskit import logs
from eskit.errors import EskitError, OutcomeUnknown, Unavailable
from eskit.postgres.boundary import boundary
from eskit.postgres.connections import sever, severed_after
from eskit.postgres.statements import statement
from eventstore_svc.store.batch import PARAMETERS, Outcome, outcomes, parameters
from eventstore_svc.store.records import NewEvent
from eventstore_svc.store.statement_session import StatementSession

log = logs.get(__name__)

APPEND = statement("eventstore_svc", "append")
OWN_BACKEND = statement("eventstore_svc", "own_backend")
END_BACKEND = statement("eventstore_svc", "end_backend")
# The server ended the session: the commit may have been on its way to disk (or to a replica) at that moment.
_SESSION_ENDED = (psycopg.errors.AdminShutdown, psycopg.errors.CrashShutdown)


class Backend(NamedTuple):
    """A server process; the number alone may be given to another one later."""

    pid: int
    started: datetime


class Appender:
    """Stores batches, one at a time."""

    def __init__(self, connect: Callable[[], Awaitable[AsyncConnection]], answer_s: float) -> None:
        """`answer_s`: how long the server may take to answer before the connection is given up."""
        self._connect = connect
        self._answer_s = answer_s
        self._connection: AsyncConnection | None = None
        self._session: StatementSession | None = None
        self._backend: Backend | None = None
        self.ending = False  # do not try to find out any more

    async def store(self, appends: Sequence[Sequence[NewEvent]]) -> list[Outcome]:
        """Store a batch; raises Unavailable (nothing is stored), OutcomeUnknown."""
        try:
            return await self._execute(appends)
        except psycopg.errors.UniqueViolation:
            # An id that was made here is in the log: of an append whose caller was told that nobody knows.
            return await self._execute(appends, may_be_stored=True)
        except OutcomeUnknown as unknown:
            if self.ending:
                raise
            # Every event has an id, so asking again finds out: what was stored is in the log, the rest is stored now.
            try:
                await self._end_old_backend()
                return await self._execute(appends, may_be_stored=True)
            except EskitError:
                raise unknown from unknown.__cause__

    async def close(self) -> None:
        """Give the connection up."""
        session, self._session = self._session, None
        connection, self._connection = self._connection, None
        if session is not None:
            session.unwatch()
        if connection is not None:
            await connection.close()

    def sever(self) -> None:
        """End the wait for an answer; the outcome is unknown then."""
        self.ending = True
        if self._connection is not None:
            sever(self._connection)

    async def _execute(self, appends: Sequence[Sequence[NewEvent]], *, may_be_stored: bool = False) -> list[Outcome]:
        connection = await self._connected()
        values = parameters(appends, may_be_stored=may_be_stored)
        try:
            with boundary(), severed_after(connection, self._answer_s):
                if self._session is None:
                    self._session = StatementSession(connection, PARAMETERS)
                    await self._session.prepare(APPEND)
                row = await self._session.execute(values)
        except Unavailable as error:
            if _may_be_stored(error.__cause__):
                raise OutcomeUnknown("The database went away before it answered") from error.__cause__
            raise
        return outcomes(appends, *row)

    async def _connected(self) -> AsyncConnection:
        if self._session is not None and self._session.closed:
            await self.close()
        if self._connection is None or self._connection.closed:
            self._session = None
            self._connection = await self._connect()
            row = await _as_login(self._connection, OWN_BACKEND, {}, self._answer_s)
            self._backend = Backend(*row) if row else None
        return self._connection

    async def _end_old_backend(self) -> None:
        """See to it that the broken session does nothing any more; raises Unavailable when that cannot be known.

        Something between (a proxy, a slow network) may still hold our statement and deliver it later. Then what we tell
        its callers after asking again would become wrong.
        """
        old = self._backend
        await self.close()
        connection = await self._connected()
        if old is not None:
            row = await _as_login(connection, END_BACKEND, old._asdict(), self._answer_s)
            if row is not None and not row[0]:
                raise Unavailable("The session that broke cannot be ended")


async def _as_login(
    connection: AsyncConnection, text: LiteralString, values: dict[str, Any], answer_s: float
) -> tuple[Any, ...] | None:
    """A statement about our own sessions, which belong to the login and not to the role it works as."""
    with boundary(), severed_after(connection, answer_s):
        await connection.execute("SET ROLE NONE")
        try:
            return await (await connection.execute(text, values)).fetchone()
        finally:
            await connection.execute("RESET ROLE")


def _may_be_stored(cause: BaseException | None) -> bool:
    """Whether the commit may have happened: yes when the connection broke, no when the server answered."""
    return isinstance(cause, _SESSION_ENDED) or getattr(cause, "sqlstate", None) is None
