"""Group commit: appends that wait while a batch is in flight go into the next one, each with its own outcome."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple
from uuid import UUID

import psycopg
from psycopg import AsyncConnection

from eskit import logs
from eskit.errors import EskitError, OutcomeUnknown, Overloaded, Unavailable
from eskit.postgres.boundary import boundary
from eskit.postgres.statements import statement
from eventstore_svc.store.batch import Outcome, outcomes, parameters
from eventstore_svc.store.records import NewEvent

log = logs.get(__name__)

MAX_BATCH_BYTES = 8 * 1024 * 1024
APPEND = statement("eventstore_svc", "append")
# The server ended the session: the commit may have been on its way to disk (or to a replica) at that moment.
_SESSION_ENDED = (psycopg.errors.AdminShutdown, psycopg.errors.CrashShutdown)


class _Waiting(NamedTuple):
    events: Sequence[NewEvent]
    outcome: asyncio.Future[Outcome]


class Batcher:
    """Owns the one connection that appends. No timer: a lone append goes at once, a crowd shares a commit."""

    def __init__(self, connect: Callable[[], Awaitable[AsyncConnection]], *, max_batch: int, max_queue: int) -> None:
        """`max_batch` is in events, `max_queue` in appends."""
        self._connect = connect
        self._max_batch = max_batch
        self._max_queue = max_queue
        self._queue: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        self.stopping = False
        self._connection: AsyncConnection | None = None
        self.committed = asyncio.Event()  # set after each commit; whoever tells others of it clears it

    async def append(self, events: Sequence[NewEvent]) -> Outcome:
        """Store all events or none; raises Unavailable, Overloaded, OutcomeUnknown."""
        if self.stopping:
            raise Unavailable("The service is stopping; try again")
        if len(self._queue) >= self._max_queue:
            raise Overloaded(f"{self._max_queue} appends are waiting for the database; try again")
        waiting = _Waiting(events, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._wake.set()
        return await waiting.outcome

    async def run(self) -> None:
        """Store batches until `stop`. Not to be cancelled: a batch in flight would have an unknown outcome."""
        try:
            while not self.stopping:
                await self._wake.wait()
                self._wake.clear()
                while batch := self._take():
                    await self._store(batch)
        finally:
            # However this ends, nobody may wait for an answer that does not come.
            self.stopping = True
            for waiting in self._queue:
                _fail(waiting, Unavailable("The service is stopping; try again"))
            self._queue.clear()
            await self._disconnect()

    def stop(self) -> None:
        """Let `run` return when everything that waits is stored, and take no more."""
        self.stopping = True
        self._wake.set()

    def _take(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        count = size = 0
        ids: set[UUID] = set()
        while self._queue:
            events = self._queue[0].events
            given = {event.event_id for event in events if event.id_is_given}
            count += len(events)
            size += sum(event.size_bytes for event in events)
            # An id that is in this batch already waits for the next one, which finds it in the log.
            if batch and (count > self._max_batch or size > MAX_BATCH_BYTES or not given.isdisjoint(ids)):
                break
            ids |= given
            batch.append(self._queue.popleft())
        return batch

    async def _store(self, batch: list[_Waiting]) -> None:
        appends = [waiting.events for waiting in batch]
        try:
            results = await self._stored_for_sure(appends)
        except EskitError as error:
            log.warning("append failed", appends=len(batch), error=error.code, cause=repr(error.__cause__))
            await self._give_up(batch, error)
        except Exception as error:
            log.exception("append failed", appends=len(batch))
            await self._give_up(batch, error)
        else:
            self.committed.set()
            # Not at once: the next batch is sent first, and Postgres works on it while these are answered.
            asyncio.get_running_loop().call_soon(_answer, batch, results)

    async def _stored_for_sure(self, appends: list[Sequence[NewEvent]]) -> list[Outcome]:
        try:
            return await self._execute(appends)
        except OutcomeUnknown as unknown:
            # Every event has an id, so asking again finds out: what was stored is in the log, the rest is stored now.
            await self._disconnect()
            try:
                return await self._execute(appends, may_be_stored=True)
            except EskitError:
                raise unknown from unknown.__cause__

    async def _execute(self, appends: list[Sequence[NewEvent]], *, may_be_stored: bool = False) -> list[Outcome]:
        if self._connection is None or self._connection.closed:
            self._connection = await self._connect()
        values = parameters(appends, may_be_stored=may_be_stored)
        try:
            with boundary():
                async with self._connection.cursor(binary=True) as cursor:
                    await cursor.execute(APPEND, values, prepare=True)
                    row = await cursor.fetchone()
        except Unavailable as error:
            if _may_be_stored(error.__cause__):
                raise OutcomeUnknown("The database went away before it answered") from error.__cause__
            raise
        if row is None:
            message = "append_batch answered nothing"
            raise EskitError(message)
        return outcomes(appends, *row)

    async def _give_up(self, batch: list[_Waiting], error: Exception) -> None:
        await self._disconnect()
        for waiting in batch:
            _fail(waiting, error)

    async def _disconnect(self) -> None:
        if self._connection is not None:
            await self._connection.close()
            self._connection = None


def _may_be_stored(cause: BaseException | None) -> bool:
    """Whether the commit may have happened: yes when the connection broke, no when the server answered."""
    return isinstance(cause, _SESSION_ENDED) or getattr(cause, "sqlstate", None) is None


def _answer(batch: list[_Waiting], results: list[Outcome]) -> None:
    for waiting, outcome in zip(batch, results, strict=True):
        if not waiting.outcome.done():
            waiting.outcome.set_result(outcome)


def _fail(waiting: _Waiting, error: Exception) -> None:
    if not waiting.outcome.done():
        waiting.outcome.set_exception(error)
