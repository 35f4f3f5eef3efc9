"""The event store on Postgres: what the REST service and the CRUD service append to and read from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from uuid import UUID

from psycopg import AsyncConnection

from eskit import logs
from eskit.errors import EskitError, OutcomeUnknown, TooLarge, Unavailable
from eskit.events import Stored
from eskit.postgres import connections
from eskit.postgres.connections import Pool
from eskit.postgres.migrations import Schema
from eskit.selectors import Selector
from eskit.settings import Settings
from eventstore_svc.store import ends, notices, reads, streams
from eventstore_svc.store.appender import Appender
from eventstore_svc.store.arrays import adapters
from eventstore_svc.store.batch import IdsKnown, Outcome
from eventstore_svc.store.batcher import Batcher
from eventstore_svc.store.ends import Ends
from eventstore_svc.store.fetching import Fetcher
from eventstore_svc.store.notices import Notice
from eventstore_svc.store.pages import Pages
from eventstore_svc.store.reads import LAST_VERSION, Head, Page, StreamPage
from eventstore_svc.store.records import Appended, NewEvent
from eventstore_svc.store.repeats import Found, first_answer
from eventstore_svc.store.streams import StreamInfo

log = logs.get(__name__)

Submitted = asyncio.Future[Outcome]
"""An append on its way."""


def schema(settings: Settings) -> Schema:
    """The schema of this log's event store."""
    return Schema(settings.schema("eventstore"), "eventstore_svc")


class EventStore:
    """Append and read. Made by `open_event_store`."""

    def __init__(self, pool: Pool, batcher: Batcher, info: str, settings: Settings, notice: Notice) -> None:
        """Not for callers: use `open_event_store`. `notice` listens to nobody until its `listen` runs."""
        self._pool = pool
        self._batcher = batcher
        self._info = info
        self._settings = settings
        self._fetcher = Fetcher(pool)
        self.pages = Pages(self._fetcher)
        self.notice = notice

    async def append(self, events: Sequence[NewEvent]) -> Appended:
        """Store all events or none, over one stream or several; durable when this returns.

        Raises VersionConflict, EventIdReused, TooLarge, Unavailable, Overloaded, OutcomeUnknown.
        """
        outcome = await self._outcome(events, self.submit(events))
        answer = (await self._first_answers([events]))[0] if isinstance(outcome, IdsKnown) else outcome
        if isinstance(answer, EskitError):
            raise answer
        return answer

    def submit(self, events: Sequence[NewEvent]) -> Submitted:
        """Begin to store an append; `settle` tells what became of it. Appends are stored in the order of these calls.

        Raises TooLarge, Unavailable, Overloaded.
        """
        limit = self._settings.max_event_bytes
        for event in events:
            if event.size_bytes > limit:
                message = f"The event has {event.size_bytes} bytes, {limit} are allowed (ESKIT_MAX_EVENT_BYTES)"
                larger = "payload" if len(event.payload) >= len(event.metadata) else "metadata"
                raise TooLarge(message, field=event.field(larger), limit=limit)
        return self._batcher.submit(events)

    def require_room(self) -> None:
        """Raise Overloaded or Unavailable where `submit` would, before anything was done for a request."""
        self._batcher.require_room()

    async def room(self) -> None:
        """Return when there is room in the queue, for those who rather wait than be refused."""
        await self._batcher.room()

    async def settle(self, appends: Sequence[tuple[Sequence[NewEvent], Submitted]]) -> list[Appended | EskitError]:
        """What became of appends that were submitted: the answer of each, or the error that `append` would raise.

        One that fails in a way nobody foresaw is an EskitError, and takes no other with it.
        """
        settled: list[Appended | IdsKnown | EskitError] = []
        for events, submitted in appends:
            try:
                settled.append(await self._outcome(events, submitted))
            except EskitError as error:
                settled.append(error)
            except Exception as error:  # noqa: BLE001 - whoever stores has logged it, once for all of a commit
                settled.append(_unforeseen(error))
        known = [events for (events, _), outcome in zip(appends, settled, strict=True) if isinstance(outcome, IdsKnown)]
        answers = iter(await self._first_answers(known))
        return [next(answers) if isinstance(outcome, IdsKnown) else outcome for outcome in settled]

    async def _outcome(self, events: Sequence[NewEvent], submitted: Submitted) -> Outcome:
        try:
            return await submitted
        except OutcomeUnknown as error:
            # One batch, one error; each caller gets its own, with its own ids.
            raise _unknown(events, error.detail) from error.__cause__
        except EskitError as error:
            raise type(error)(error.detail, field=error.field, **error.extra) from error.__cause__

    async def _first_answers(self, appends: Sequence[Sequence[NewEvent]]) -> list[Appended | EskitError]:
        """The answers to appends whose ids are in the log."""
        if not appends:
            return []
        try:
            found = await self._found([event.event_id for events in appends for event in events])
        except Unavailable as error:
            # They are in the log: "nothing was stored" would be wrong.
            return [_unknown(events, error.detail) for events in appends]
        except Exception as error:
            log.exception("first answers cannot be read", appends=len(appends))
            return [_unforeseen(error) for _ in appends]
        by_id = {UUID(row.event.event_id): row for row in found}
        return [_repeated(events, by_id) for events in appends]

    async def _found(self, event_ids: Sequence[UUID]) -> list[Found]:
        return await reads.appended(self._pool, event_ids)

    async def stream(
        self, entity_type: str, originator_id: str, *, from_version: int = 1, to_version: int = LAST_VERSION, limit: int
    ) -> StreamPage:
        """Events of a stream in order, at most `limit` and 8 MiB; raises NotFound for a stream that does not exist."""
        found = await reads.stream(
            self._pool, entity_type, originator_id, from_version=from_version, to_version=to_version, limit=limit
        )
        if not found.events:
            await self.pages.version((entity_type, originator_id))  # which raises where there is none
        return found

    async def log(self, first: int, limit: int, selector: Selector) -> Page:
        """Events from a position on, in order; dense, nothing is ever missing below what is answered."""
        return await reads.log(self._pool, first, limit, selector)

    async def head(self) -> Head:
        """The end of the log."""
        return await reads.head(self._pool)

    async def ends(self) -> Ends:
        """Where the log ends in each partition of its topic."""
        return await ends.ends(self._fetcher)

    async def signing_key(self) -> bytes:
        """What services of this log sign with; the same for all of them."""
        return await ends.signing_key(self._pool)

    async def of_type(self, entity_type: str, after: tuple[str, int], limit: int) -> StreamPage:
        """Events of all streams of a type, by id and version, after such a place; at most `limit` and 8 MiB."""
        return await reads.of_type(self._pool, entity_type, after, limit)

    async def by_id(self, event_ids: Sequence[UUID]) -> list[Stored]:
        """The events with these ids; missing ones are left out."""
        return await reads.by_id(self._pool, event_ids)

    async def stream_info(self, entity_type: str, originator_id: str) -> StreamInfo:
        """Where a stream begins and ends; raises NotFound."""
        return await streams.info(self._pool, (entity_type, originator_id))

    async def streams_after(self, place: tuple[str, str], only_type: str | None, limit: int) -> list[StreamInfo]:
        """The next streams in the order of entity type and id."""
        return await streams.after(self._pool, place, only_type, limit)

    async def check(self) -> None:
        """Raises what keeps the store from working: the database is away, or its schema is not ours."""
        if self._batcher.stopping:
            raise Unavailable("This process takes no more appends")
        await connections.check(self._info, schema(self._settings))


def _repeated(events: Sequence[NewEvent], by_id: Mapping[UUID, Found]) -> Appended | EskitError:
    try:
        return first_answer(events, [by_id[event.event_id] for event in events if event.event_id in by_id])
    except EskitError as error:
        return error
    except Exception as error:
        log.exception("a first answer cannot be told")
        return _unforeseen(error)


def _unforeseen(error: Exception) -> EskitError:
    """For one append of several: the others have answers of their own."""
    found = EskitError("Something went wrong on our side")
    found.__cause__ = error
    return found


def _unknown(events: Sequence[NewEvent], detail: str) -> OutcomeUnknown:
    message = f"{detail}; send it again with these event ids, it is stored once"
    return OutcomeUnknown(message, event_ids=[str(event.event_id) for event in events])


@asynccontextmanager
async def open_event_store(settings: Settings, application: str) -> AsyncIterator[EventStore]:
    """The store with its connections and its group commit. Opens without waiting for the database."""
    ours = schema(settings)
    info = connections.conninfo(settings, ours, "writer", application)
    context = adapters()

    async def connect() -> AsyncConnection:
        return await connections.connect(info, ours, context)

    appender = Appender(connect, connections.answer_s(settings))
    batcher = Batcher(
        appender, max_batch=settings.max_batch, max_queue=settings.max_queue, max_queue_bytes=settings.max_queue_bytes
    )
    tell = partial(notices.send, connect, ours, batcher.committed)
    async with connections.open_pool(settings, info, ours, context) as pool:
        telling, storing = asyncio.create_task(tell()), asyncio.create_task(batcher.run())
        try:
            yield EventStore(pool, batcher, info, settings, Notice(connect, ours))
        finally:
            telling.cancel()
            batcher.stop()
            _, late = await asyncio.wait([storing], timeout=settings.shutdown_s)
            if late:
                batcher.abandon()
            await asyncio.gather(telling, storing, return_exceptions=True)
