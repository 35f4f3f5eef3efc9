"""Group commit: appends that wait while a batch is in flight go into the next one, each with its own outcome."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from eskit import logs
from eskit.errors import EskitError, Overloaded, Unavailable
from eventstore_svc.store.appender import Appender
from eventstore_svc.store.batch import Answer, Outcome, outcomes
from eventstore_svc.store.records import NewEvent
from eventstore_svc.store.refused import Refused

log = logs.get(__name__)

MAX_BATCH_BYTES = 8 * 1024 * 1024


class _Waiting(NamedTuple):
    events: Sequence[NewEvent]
    size_bytes: int
    given_ids: frozenset[UUID]  # that may be in the log, or in another append of this moment
    outcome: asyncio.Future[Outcome]


class Batcher:
    """The queue in front of the appender. No timer: a lone append goes at once, a crowd shares a commit.

    The queue takes an append of any size as long as it is below its bounds, so no append is too large for it, and none
    waits for ever while smaller ones pass. Over its bounds it is by one append at most.
    """

    def __init__(self, appender: Appender, *, max_batch: int, max_queue: int, max_queue_bytes: int) -> None:
        """`max_batch` and `max_queue` are in events."""
        self._appender = appender
        self._max_batch = max_batch
        self._max_queue = max_queue
        self._max_queue_bytes = max_queue_bytes
        self._queue: deque[_Waiting] = deque()
        self._queued = self._queued_bytes = 0  # events that wait, and their bytes
        self._wake = asyncio.Event()
        self._taken = asyncio.Event()
        self.stopping = False
        self.committed = asyncio.Event()  # set after each commit; whoever tells others of it clears it

    def submit(self, events: Sequence[NewEvent]) -> asyncio.Future[Outcome]:
        """Queue an append: all its events or none. Appends are stored in the order of these calls.

        But for one that has an event id of an append before it: it waits for the outcome of that, others may pass it.
        Raises Unavailable, Overloaded; so may the future, and OutcomeUnknown.
        """
        self.require_room()
        waiting = _waiting(events)
        self._queue.append(waiting)
        self._queued += len(events)
        self._queued_bytes += waiting.size_bytes
        self._wake.set()
        return waiting.outcome

    def require_room(self) -> None:
        """Raise what `submit` would: asked before the work on a request, it makes refusing cheap."""
        if self.stopping:
            raise Unavailable("The service is stopping; try again")
        if self._queued >= self._max_queue:
            raise Overloaded(f"{self._queued} events are waiting for the database (ESKIT_MAX_QUEUE); try again")
        if self._queued_bytes >= self._max_queue_bytes:
            message = f"{self._queued_bytes} bytes are waiting for the database (ESKIT_MAX_QUEUE_BYTES); try again"
            raise Overloaded(message)

    async def room(self) -> None:
        """Return when the queue has room, or takes no more at all: for those who rather wait than be refused.

        Half of it is left to those who would be refused: else a few who always have more take all that gets free.
        """
        while self._queued >= self._max_queue / 2 or self._queued_bytes >= self._max_queue_bytes / 2:
            if self.stopping:
                return
            await self._taken.wait()

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
            self._give_up_waiting()
            self._taken.set()
            await self._appender.close()

    def stop(self) -> None:
        """Let `run` return when everything that waits is stored, and take no more."""
        self.stopping = True
        self._wake.set()

    def abandon(self) -> None:
        """Wait no longer for the database: what is in flight has an unknown outcome, what waits is not stored."""
        self._give_up_waiting()
        self._appender.sever()

    def _give_up_waiting(self) -> None:
        for waiting in self._queue:
            _fail(waiting, Unavailable("The service is stopping; try again"))
        self._queue.clear()
        self._queued = self._queued_bytes = 0

    def _take(self) -> list[_Waiting]:
        """The next batch. An append with an id that is in it waits for the one after, which finds the id in the log."""
        batch: list[_Waiting] = []
        passed: list[_Waiting] = []
        count = size = 0
        ids: set[UUID] = set()
        while self._queue and len(passed) <= self._max_batch:
            waiting = self._queue[0]
            if not waiting.given_ids.isdisjoint(ids):
                passed.append(self._queue.popleft())  # the others do not wait with it
                continue
            count += len(waiting.events)
            size += waiting.size_bytes
            if batch and (count > self._max_batch or size > MAX_BATCH_BYTES):
                break
            ids |= waiting.given_ids
            batch.append(self._queue.popleft())
            self._queued -= len(waiting.events)
            self._queued_bytes -= waiting.size_bytes
        self._queue.extendleft(reversed(passed))
        taken, self._taken = self._taken, asyncio.Event()
        taken.set()
        return batch

    async def _store(self, batch: list[_Waiting]) -> None:
        """Store a batch; of one that is refused, halves and halves of halves, in order, until the guilty are alone."""
        parts = [batch]
        while parts:
            part = parts.pop()
            try:
                answer = await self._appender.store([waiting.events for waiting in part])
            except Refused as refused:
                if len(part) == 1:
                    _blame(part[0], refused)
                else:
                    middle = len(part) // 2
                    parts += [part[middle:], part[:middle]]  # the first half is next
            except Exception as error:
                if isinstance(error, EskitError):
                    log.warning("append failed", appends=len(part), error=error.code, cause=repr(error.__cause__))
                else:
                    log.exception("append failed", appends=len(part))
                await self._appender.close()
                for waiting in part:
                    _fail(waiting, error)
            else:
                self.committed.set()
                # Not at once: the next batch is sent first, and Postgres works on it while these are answered.
                asyncio.get_running_loop().call_soon(_answer, part, answer)


_NONE: frozenset[UUID] = frozenset()


def _waiting(events: Sequence[NewEvent]) -> _Waiting:
    given = [event.event_id for event in events if event.id_is_given]
    size = sum([event.size_bytes for event in events])
    return _Waiting(events, size, frozenset(given) if given else _NONE, asyncio.get_running_loop().create_future())


def _answer(batch: list[_Waiting], answer: Answer) -> None:
    try:
        results = outcomes([waiting.events for waiting in batch], answer)
    except Exception as error:
        log.exception("an answer of the database cannot be read")
        for waiting in batch:
            _fail(waiting, error)
        return
    for waiting, outcome in zip(batch, results, strict=True):
        if not waiting.outcome.done():
            waiting.outcome.set_result(outcome)


def _blame(waiting: _Waiting, refused: Refused) -> None:
    error = refused.error(waiting.events)
    ids = [str(event.event_id) for event in waiting.events[:10]]
    log.error("append refused", error=error.code, cause=repr(refused.__cause__), event_ids=ids)
    _fail(waiting, error)


def _fail(waiting: _Waiting, error: Exception) -> None:
    if not waiting.outcome.done():
        waiting.outcome.set_exception(error)
        waiting.outcome.exception()  # its caller may have left: then nobody will ask, and that is no news
