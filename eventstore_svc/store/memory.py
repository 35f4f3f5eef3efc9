"""The event store on a log in memory, for tests of programs that use it: the same rules, nothing is kept."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, cast
from uuid import UUID

from eskit.events import Stored
from eskit.selectors import Selector
from eskit.settings import Settings
from eskit.testing.log import Log
from eventstore_svc.store.batch import IdsKnown, Outcome, conflict
from eventstore_svc.store.ends import Ends
from eventstore_svc.store.event_store import EventStore, Submitted
from eventstore_svc.store.memory_reads import MemoryFetcher, cut, stream, streams
from eventstore_svc.store.pages import Pages, unknown_stream
from eventstore_svc.store.reads import LAST_VERSION, PAGE_BYTES, Head, Page, StreamPage, is_full
from eventstore_svc.store.records import NEXT, NEXT_OF_EXISTING, Appended, NewEvent, Recorded
from eventstore_svc.store.repeats import Found
from eventstore_svc.store.streams import StreamInfo

if TYPE_CHECKING:
    from eskit.postgres.connections import Pool
    from eventstore_svc.store.batcher import Batcher
    from eventstore_svc.store.notices import Notice


class MemoryStore(EventStore):
    """Append to a log in memory, and read it. Several stores may have one log."""

    def __init__(self, log: Log, settings: Settings) -> None:
        sequencer, growth = cast("Batcher", Sequencer(log)), cast("Notice", Growth(log))
        super().__init__(cast("Pool", None), sequencer, "", settings, growth)
        self.pages = Pages(MemoryFetcher(log))
        self._log = log
        self._signing_key = secrets.token_bytes(32)

    async def stream(
        self, entity_type: str, originator_id: str, *, from_version: int = 1, to_version: int = LAST_VERSION, limit: int
    ) -> StreamPage:
        """As EventStore says."""
        found = stream(self._log, entity_type, originator_id)
        if not found:
            raise unknown_stream((entity_type, originator_id))
        events = cut(found[from_version - 1 : to_version], limit, PAGE_BYTES)
        return StreamPage(events, is_full(events, limit) and events[-1].version < to_version)

    async def log(self, first: int, limit: int, selector: Selector) -> Page:
        """As EventStore says."""
        behind = self._log.stored[first - 1 :]
        events = cut([e for e in behind if selector.matches(e.entity_type, e.action)], limit, PAGE_BYTES)
        return Page(
            events, events[-1].position + 1 if is_full(events, limit) else max(first, len(self._log.stored) + 1)
        )

    async def head(self) -> Head:
        """As EventStore says; there is no topic that could be behind."""
        return Head(len(self._log.stored), len(self._log.stored))

    async def ends(self) -> Ends:
        """As EventStore says; there is no topic, so nobody has to wait for one."""
        return Ends(len(self._log.stored), ())

    async def signing_key(self) -> bytes:
        """As EventStore says."""
        return self._signing_key

    async def of_type(self, entity_type: str, after: tuple[str, int], limit: int) -> StreamPage:
        """As EventStore says."""
        placed = {(e.originator_id, e.version): e for e in self._log.stored if e.entity_type == entity_type}
        events = cut([placed[place] for place in sorted(placed) if place > after], limit, PAGE_BYTES)
        return StreamPage(events, is_full(events, limit))

    async def by_id(self, event_ids: Sequence[UUID]) -> list[Stored]:
        """As EventStore says."""
        found = [self._log.by_id.get(str(one)) for one in event_ids]
        return [event for event in found if event is not None]

    async def stream_info(self, entity_type: str, originator_id: str) -> StreamInfo:
        """As EventStore says."""
        found = [
            info
            for info in streams(self._log)
            if (info.entity_type, info.originator_id) == (entity_type, originator_id)
        ]
        if not found:
            raise unknown_stream((entity_type, originator_id))
        return found[0]

    async def streams_after(self, place: tuple[str, str], only_type: str | None, limit: int) -> list[StreamInfo]:
        """As EventStore says."""
        behind = [info for info in streams(self._log) if (info.entity_type, info.originator_id) > place]
        return [info for info in behind if only_type in {None, info.entity_type}][:limit]

    async def check(self) -> None:
        """Nothing can be wrong with it."""

    async def _found(self, event_ids: Sequence[UUID]) -> list[Found]:
        return [Found(e, self._log.append_sizes[e.position - 1]) for e in await self.by_id(event_ids)]


class Sequencer:
    """Stores one append after the other: what the batcher and the database do together."""

    stopping = False

    def __init__(self, log: Log) -> None:
        self._log = log

    def submit(self, events: Sequence[NewEvent]) -> Submitted:
        """As Batcher says; it is done at once."""
        submitted: Submitted = asyncio.get_running_loop().create_future()
        submitted.set_result(self._append(events))
        return submitted

    def require_room(self) -> None:
        """There always is."""

    async def room(self) -> None:
        """There always is."""

    def _append(self, events: Sequence[NewEvent]) -> Outcome:
        versions = Counter[tuple[str, str]]()
        for event in events:
            key = (event.type.entity_type, event.originator_id)
            actual = self._log.version(*key) + versions[key]
            if str(event.event_id) in self._log.by_id:
                return IdsKnown()
            if event.wanted not in {NEXT, NEXT_OF_EXISTING, actual + 1} or (
                event.wanted == NEXT_OF_EXISTING and not actual
            ):
                return conflict(event, actual)
            versions[key] += 1
        now_us = self._log.now_us()
        sizes = [len(events), *[0] * (len(events) - 1)]
        return Appended([self._add(event, now_us, size) for event, size in zip(events, sizes, strict=True)], new=True)

    def _add(self, event: NewEvent, now_us: int, append_size: int) -> Recorded:
        stored = Stored(
            position=len(self._log.stored) + 1,
            event_id=str(event.event_id),
            entity_type=event.type.entity_type,
            originator_id=event.originator_id,
            version=self._log.version(event.type.entity_type, event.originator_id) + 1,
            action=event.type.action,
            payload=event.payload.decode(),
            metadata=event.metadata.decode(),
            occurred_on_us=now_us if event.occurred_on_us is None else event.occurred_on_us,
            recorded_at_us=now_us,
        )
        self._log.add(stored, append_size)
        return Recorded(event.event_id, stored.originator_id, stored.version, stored.position)


class Growth:
    """Tells one waiter that the log has grown."""

    def __init__(self, log: Log) -> None:
        self._grown = asyncio.Event()
        log.appended.append(lambda *_: self._grown.set())

    async def listen(self) -> None:
        """Nothing has to be done for it."""

    async def wait(self, timeout_s: float) -> None:
        """Return when it has, or after `timeout_s`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._grown.wait()
        self._grown.clear()
