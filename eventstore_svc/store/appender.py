"""The one connection that appends, and finding out what became of a batch when it breaks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, LiteralString, NamedTuple

import psycopg
from psycopg import AsyncConnection, pq

from eskit import logs
from eskit.errors import EskitError, OutcomeUnknown, Unavailable
from eskit.postgres.boundary import boundary
from eskit.postgres.connections import sever, severed_after
from eskit.postgres.statements import statement
from eventstore_svc.store.batch import PARAMETERS, Answer, parameters
from eventstore_svc.store.records import NewEvent
from eventstore_svc.store.refused import Refused
from eventstore_svc.store.statement_session import StatementSession

log = logs.get(__name__)

APPEND = statement("eventstore_svc", "append")
APPEND_NAME = "append"
BINARY = [pq.Format.BINARY] * PARAMETERS
OWN_BACKEND = statement("eventstore_svc", "own_backend")
# Classes of SQLSTATE: bad data, violated constraints, exceptions that functions raise, and what went wrong inside.
DATA_AT_FAULT = ("22", "23", "P0", "XX")
END_BACKEND = statement("eventstore_svc", "end_backend")


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
        self._doubtful: Backend | None = None  # what it does, or did, nobody knows
        self.ending = False  # do not try to find out any more

    async def store(self, appends: Sequence[Sequence[NewEvent]]) -> Answer:
        """Store a batch; raises Unavailable and Refused (nothing is stored), OutcomeUnknown."""
        if self.ending:
            raise Unavailable("The service is stopping; try again")
        try:
            return await self._execute(appends)
        except Refused as refused:
            if not isinstance(refused.__cause__, psycopg.errors.UniqueViolation):
                raise
            # An id that was made here is in the log: of an append whose caller was told that nobody knows.
            return await self._execute(appends, may_be_stored=True)
        except OutcomeUnknown as unknown:
            if self.ending:
                raise
            # Every event has an id, so asking again finds out: what was stored is in the log, the rest is stored now.
            try:
                return await self._execute(appends, may_be_stored=True)
            except (EskitError, Refused):
                # Refused is the second attempt; of the first nobody knows.
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

    async def _execute(self, appends: Sequence[Sequence[NewEvent]], *, may_be_stored: bool = False) -> Answer:
        connection = await self._connected(after_doubt=may_be_stored)
        try:
            values = parameters(appends, may_be_stored=may_be_stored)
        except Exception as error:  # a value that has no form in an array; nothing was sent yet
            raise Refused from error
        try:
            with boundary(), severed_after(connection, self._answer_s):
                if self._session is None:
                    self._session = StatementSession(connection)
                    self._session.watch()  # for good: so a connection that breaks while nothing is asked is noticed
                    await self._session.prepare(APPEND_NAME, APPEND)
                result = await self._session.execute(APPEND_NAME, values, BINARY)
        except (Unavailable, psycopg.Error) as error:
            cause = error.__cause__ if isinstance(error, Unavailable) else error
            if _is_rolled_back(cause):
                if _may_be_the_data(error):
                    raise Refused from error
                raise
            self._doubtful = self._backend
            await self.close()
            raise OutcomeUnknown("The database went away before it answered") from cause
        return Answer(*(result.get_value(0, column) for column in range(len(Answer._fields))))

    async def _connected(self, *, after_doubt: bool) -> AsyncConnection:
        if self._session is not None and self._session.closed:
            await self.close()
        if self._connection is None or self._connection.closed:
            self._session = self._backend = None
            self._connection = await self._connect()
        if self._backend is None:
            row = await _as_login(self._connection, OWN_BACKEND, {}, self._answer_s)
            self._backend = Backend(*row) if row else None
        if self._doubtful is not None:
            await self._end_doubtful(self._connection, self._doubtful, must=after_doubt)
            self._doubtful = None
        return self._connection

    async def _end_doubtful(self, connection: AsyncConnection, old: Backend, *, must: bool) -> None:
        """See to it that the broken session does nothing any more; raises Unavailable when it `must` and cannot be.

        Something between (a proxy, a slow network) may still hold our statement and deliver it later. Then what we tell
        its callers after asking again would become wrong. Later batches are other callers': they need not wait for it.
        """
        row = await _as_login(connection, END_BACKEND, old._asdict(), self._answer_s)
        if must and row is not None and not row[0]:
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


def _may_be_the_data(error: Exception) -> bool:
    """Whether other appends may fare better: not where the statement is at fault, or the session has lost it."""
    return isinstance(error, psycopg.Error) and (error.sqlstate or "").startswith(DATA_AT_FAULT)


def _is_rolled_back(cause: BaseException | None) -> bool:
    """Whether it is certain that nothing was stored: the server itself said ERROR, and the session lives.

    Without an answer nobody knows. Nor after FATAL and PANIC, which end the session, perhaps with the commit on its way
    to disk or to a replica; a pooler between says FATAL when it has lost the server.
    """
    if not isinstance(cause, psycopg.Error):
        return False
    return (cause.diag.severity_nonlocalized or cause.diag.severity) == "ERROR"
