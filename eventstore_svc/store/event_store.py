"""The event store on Postgres: what the REST service and the CRUD service append to and read from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from uuid import UUID

from psycopg import AsyncConnection

from eskit.errors import EskitError, NotFound, OutcomeUnknown, TooLarge, Unavailable, VersionConflict
from eskit.events import Stored
from eskit.postgres import connections
from eskit.postgres.connections import Pool
from eskit.postgres.migrations import Schema
from eskit.selectors import Selector
from eskit.settings import Settings
from eventstore_svc.store import notices, reads, streams
from eventstore_svc.store.appender import Appender
from eventstore_svc.store.arrays import adapters
from eventstore_svc.store.batch import IdsKnown
from eventstore_svc.store.batcher import Batcher
from eventstore_svc.store.notices import Notice
from eventstore_svc.store.pages import Pages
from eventstore_svc.store.reads import LAST_VERSION, Head, Page, StreamPage
from eventstore_svc.store.records import Appended, NewEvent
from eventstore_svc.store.repeats import first_answer
from eventstore_svc.store.streams import StreamInfo


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
        self.pages = Pages(pool)
        self.notice = notice

    async def append(self, events: Sequence[NewEvent]) -> Appended:
        """Store all events or none, over one stream or several; durable when this returns.

        Raises VersionConflict, EventIdReused, TooLarge, Unavailable, Overloaded, OutcomeUnknown.
        """
        limit = self._settings.max_event_bytes
        for index, event in enumerate(events):
            if event.size_bytes > limit:
                message = f"events[{index}] has {event.size_bytes} bytes, {limit} are allowed (ESKIT_MAX_EVENT_BYTES)"
                raise TooLarge(message, field=f"events[{index}].payload", limit_bytes=limit)
        try:
            outcome = await self._batcher.append(events)
        except OutcomeUnknown as error:
            # One batch, one error; each caller gets its own, with its own ids.
            raise _unknown(events, error.detail) from error.__cause__
        except EskitError as error:
            raise type(error)(error.detail) from error.__cause__
        if isinstance(outcome, IdsKnown):
            return await self._first_answer(events)
        if isinstance(outcome, VersionConflict):
            raise outcome
        return outcome

    async def _first_answer(self, events: Sequence[NewEvent]) -> Appended:
        try:
            found = await reads.appended(self._pool, [event.event_id for event in events])
        except Unavailable as error:
            # They are in the log: "nothing was stored" would be wrong.
            raise _unknown(events, error.detail) from error
        return first_answer(events, found)

    async def stream(
        self, entity_type: str, originator_id: str, *, from_version: int = 1, to_version: int = LAST_VERSION, limit: int
    ) -> StreamPage:
        """Events of a stream in order, at most `limit` and 8 MiB; raises NotFound for a stream that does not exist."""
        found = await reads.stream(
            self._pool, entity_type, originator_id, from_version=from_version, to_version=to_version, limit=limit
        )
        if not found.events and not await reads.stream_version(self._pool, entity_type, originator_id):
            raise NotFound(f"There is no stream of {entity_type} {originator_id!r}")
        return found

    async def log(self, first: int, limit: int, selector: Selector) -> Page:
        """Events from a position on, in order; dense, nothing is ever missing below what is answered."""
        return await reads.log(self._pool, first, limit, selector)

    async def head(self) -> Head:
        """The end of the log."""
        return await reads.head(self._pool)

    async def by_id(self, event_ids: Sequence[UUID]) -> list[Stored]:
        """The events with these ids; missing ones are left out."""
        return await reads.by_id(self._pool, event_ids)

    async def stream_info(self, entity_type: str, originator_id: str) -> StreamInfo:
        """Where a stream begins and ends; raises NotFound."""
        return await streams.info(self._pool, (entity_type, originator_id))

    async def streams_after(self, place: tuple[str, str], only_type: str | None, limit: int) -> list[StreamInfo]:
        """The next streams in the order of entity type and id."""
        return await streams.after(self._pool, place, only_type, limit)

    async def stream_version(self, entity_type: str, originator_id: str) -> int:
        """Current version of a stream; 0 when there is none."""
        return await reads.stream_version(self._pool, entity_type, originator_id)

    async def check(self) -> None:
        """Raises what keeps the store from working: the database is away, or its schema is not ours."""
        if self._batcher.stopping:
            raise Unavailable("This process takes no more appends")
        await connections.check(self._info, schema(self._settings))


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
    batcher = Batcher(appender, max_batch=settings.max_batch, max_queue=settings.max_queue)
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
