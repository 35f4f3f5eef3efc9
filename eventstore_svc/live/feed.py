"""The newest events in memory, read once for everybody who waits for them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import NamedTuple

from eskit import logs
from eskit.errors import EskitError, Overloaded
from eskit.settings import Settings
from eventstore_svc.store import EventStore, Filter, Fresh

log = logs.get(__name__)

# What is kept for readers that are a little late; who is later reads pages from the database.
KEPT_EVENTS = 10_000
KEPT_BYTES = 16 * 1024 * 1024
READ_EVENTS = 1000
RETRY_S = 1.0
# Of one answer, so that a slow reader never has more than this waiting for it in memory.
PIECE_BYTES = 256 * 1024


class Told(NamedTuple):
    """An event as a reader gets it."""

    position: int
    json: bytes


class Piece(NamedTuple):
    """Some more events for one reader, and where it goes on; none when the time was over."""

    events: Sequence[Fresh | Told]
    next: int


class Feed:
    """Follows the log while somebody waits; otherwise it costs nothing."""

    def __init__(self, store: EventStore, settings: Settings) -> None:
        """`run` does the reading."""
        self._store = store
        self._settings = settings
        self._kept: deque[Fresh] = deque()
        self._bytes = 0
        self._end: int | None = None  # the last position that is known; None while nobody waits
        self._grown = asyncio.Event()
        self._somebody = asyncio.Event()
        self.waiting = 0
        self.away = False
        self.stopping = False
        self.delivered = 0  # events, from memory
        self.cut = 0  # readers that did not read

    @contextmanager
    def reader(self) -> Iterator[None]:
        """Somebody waits, for as long as inside; raises Overloaded when too many do."""
        limit = self._settings.max_waiting
        if self.waiting >= limit:
            raise Overloaded(f"{limit} readers wait for new events already (ESKIT_MAX_WAITING); try again")
        self.waiting += 1
        self._somebody.set()
        try:
            yield
        finally:
            self.waiting -= 1

    def stop(self) -> None:
        """Send everybody home."""
        self.stopping = True
        self._wake()

    async def run(self) -> None:
        """Read until cancelled. While the database is away readers keep waiting."""
        while True:
            await self._somebody.wait()
            try:
                full = await self._read()
                self.away = False
            except Exception as error:
                # Whatever it is: without this task nobody who waits would ever be told of anything.
                if not isinstance(error, EskitError):
                    log.exception("new events cannot be read")
                elif not self.away:
                    log.warning("new events cannot be read", error=error.code)
                self.away = True
                await asyncio.sleep(RETRY_S)
                continue
            if self.waiting == 0:
                self._forget()
            elif not full:
                await self._store.notice.wait(self._settings.tail_poll_s)

    async def more(self, first: int, wanted: Filter, limit: int, timeout_s: float) -> Piece:
        """What is wanted from a position on: waits for it up to `timeout_s`. `next` moves past what is not wanted.

        Raises Unavailable when events that are not kept any more cannot be read.
        """
        now = asyncio.get_running_loop().time
        deadline = now() + timeout_s
        while not self.stopping:
            if self._end is None or first > self._end:
                if not await self._growth(deadline):
                    break
            elif self._kept and first >= self._kept[0].position:
                events, first = self._take(first, wanted, limit)
                if events:
                    self.delivered += len(events)
                    return Piece(events, first)
            else:
                until = self._kept[0].position - 1 if self._kept else self._end
                page = await self._store.pages.log(wanted, first, limit, until=until, most_bytes=PIECE_BYTES)
                first = page.next or first
                if page.events:
                    return Piece([Told(*told) for told in zip(page.positions, page.events, strict=True)], first)
                if now() >= deadline:
                    break
        return Piece([], first)

    def _take(self, first: int, wanted: Filter, limit: int) -> tuple[list[Fresh], int]:
        found: list[Fresh] = []
        size = 0
        # Positions are dense, so the place of one in what is kept is known.
        for event in islice(self._kept, first - self._kept[0].position, None):
            if len(found) == limit or size >= PIECE_BYTES:
                break
            first = event.position + 1
            if wanted.matches(event):
                found.append(event)
                size += len(event.json)
        return found, first

    async def _growth(self, deadline: float) -> bool:
        """Wait until the log has grown; False when the time is over."""
        try:
            async with asyncio.timeout_at(deadline):
                await self._grown.wait()
        except TimeoutError:
            return False
        return True

    async def _read(self) -> bool:
        """Read what is new, once for all; whether there may be more."""
        if self._end is None:
            self._end = await self._store.pages.end()
            self._wake()
        events = await self._store.pages.fresh(self._end, READ_EVENTS)
        if events:
            self._kept.extend(events)
            self._bytes += sum(len(event.json) for event in events)
            self._end = events[-1].position
            while len(self._kept) > KEPT_EVENTS or self._bytes > KEPT_BYTES:
                self._bytes -= len(self._kept.popleft().json)
            self._wake()
        return bool(events)

    def _wake(self) -> None:
        # A new one at once: who comes back before all others have run waits for the next growth.
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()

    def _forget(self) -> None:
        self._somebody.clear()
        self._kept.clear()
        self._bytes = 0
        self._end = None
