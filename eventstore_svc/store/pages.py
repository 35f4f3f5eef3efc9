"""Pages of events as JSON that PostgreSQL has made: Python touches no event of them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from eskit.errors import NotFound
from eventstore_svc.store.fetching import Fetcher, Rows, Value
from eventstore_svc.store.filters import Filter, Fresh
from eventstore_svc.store.reads import PAGE_BYTES, SCAN_POSITIONS

LAST_POSITION = 2**63 - 1
# A stream of lines is read in ranges of so many positions, large enough to cost no more than a large page does; while
# one is written, so many others are read, each on a connection of its own.
LINE_POSITIONS = 2000
LINES_AHEAD = 2
LINES_BYTES = 2 * 1024 * 1024  # payloads and metadata of one piece: a slow reader has a few of them waiting in memory


class StreamEvents(NamedTuple):
    """A page of a stream."""

    events: list[bytes]  # JSON objects
    first: int  # least version of the page, 0 for an empty one
    last: int  # greatest version of the page, 0 for an empty one
    version: int  # of the stream as it is now


class LogEvents(NamedTuple):
    """A page of the log."""

    rows: Rows
    next: int | None  # the position to go on with; None where the log begins
    more: bool  # whether there may be something already

    @property
    def events(self) -> list[bytes]:
        """JSON objects."""
        return self.rows.column(0)

    @property
    def positions(self) -> list[int]:
        """Of each of them."""
        return self.rows.numbers(1)


class Pages:
    """Reads pages; see `EventStore.pages`."""

    def __init__(self, fetcher: Fetcher) -> None:
        """`fetcher`: of this package's statements."""
        self._fetch = fetcher.fetch

    async def stream(
        self, stream: tuple[str, str], *, from_version: int, to_version: int, limit: int, forward: bool = True
    ) -> StreamEvents:
        """At most `limit` events and 8 MiB of a stream (entity type, id); raises NotFound for one that is not there."""
        values = {"from_version": from_version, "to_version": to_version, "limit": limit, "most_bytes": PAGE_BYTES}
        name = "stream_page_forward" if forward else "stream_page_backward"
        rows = await self._fetch(name, _named(stream) | values)
        if not len(rows):
            return StreamEvents([], 0, 0, await self.version(stream))
        ends = rows.number(0, 1), rows.number(len(rows) - 1, 1)
        return StreamEvents(rows.column(0), min(ends), max(ends), rows.number(0, 2))

    async def version(self, stream: tuple[str, str]) -> int:
        """Current version of a stream; raises NotFound."""
        rows = await self._fetch("stream_version", _named(stream))
        if not len(rows):
            raise unknown_stream(stream)
        return rows.number(0, 0)

    async def version_at(self, stream: tuple[str, str], *, position: int | None, at: datetime | None) -> int:
        """The version a stream had when the log ended there; raises NotFound when it did not exist yet."""
        point: dict[str, Value] = {"position": position, "at": at}
        version = (await self._fetch("version_at", _named(stream) | point)).number(0, 0)
        if not version:
            raise unknown_stream(stream, " at that point of the log")
        return version

    async def end(self) -> int:
        """The log's last position; 0 for an empty log."""
        return (await self._fetch("log_end", {})).number(0, 0)

    async def log(
        self, wanted: Filter, first: int, limit: int, *, until: int = LAST_POSITION, most_bytes: int = PAGE_BYTES
    ) -> LogEvents:
        """Events of the log from a position (inclusive) on, within the limits; `next` is always a number."""
        if wanted.everything:
            return await self._forward(wanted, first, until, limit, most_bytes)
        # The log's end first: what is read afterwards reaches at least to it, so that `next` may go past it.
        end = min(await self.end(), until)
        # A selector that nothing matches must not walk the whole log in one request.
        last = end if wanted.looked_up else min(end, first + SCAN_POSITIONS - 1)
        page = await self._forward(wanted, first, last, limit, most_bytes)
        return page if page.more else LogEvents(page.rows, max(last + 1, first), last < end)

    async def log_backward(self, wanted: Filter, first: int | None, limit: int) -> LogEvents:
        """The same from a position down, by default from the log's end."""
        end = await self.end()
        high = end if first is None else min(first, end)
        low = 1 if wanted.looked_up else max(1, high - SCAN_POSITIONS + 1)
        rows = await self._page(wanted, low, high, limit, PAGE_BYTES, "backward")
        after = (rows.number(len(rows) - 1, 1) if _is_full(rows, limit) else low) - 1
        return LogEvents(rows, after if after > 0 else None, after > 0)

    async def lines(self, wanted: Filter, first: int, until: int) -> AsyncIterator[bytes]:
        """All events up to a position, as lines, in pieces. No connection is held while a piece is with its reader."""
        size = LAST_POSITION if wanted.looked_up else LINE_POSITIONS
        ahead = deque[tuple[int, asyncio.Task[LogEvents]]]()
        try:
            while first <= until or ahead:
                while first <= until and len(ahead) <= LINES_AHEAD:
                    last = min(first + size - 1, until)
                    ahead.append((last, asyncio.create_task(self._range(wanted, first, last))))
                    first = last + 1
                last, reading = ahead.popleft()
                page = await reading
                while True:
                    if len(page.rows):
                        yield _lines(page.events)
                    if not page.more or page.next is None:
                        break
                    page = await self._range(wanted, page.next, last)
        finally:
            for _, reading in ahead:
                reading.cancel()
            await asyncio.gather(*(reading for _, reading in ahead), return_exceptions=True)

    async def _range(self, wanted: Filter, first: int, last: int) -> LogEvents:
        return await self._forward(wanted, first, last, LINE_POSITIONS, LINES_BYTES)

    async def fresh(self, after: int, limit: int) -> list[Fresh]:
        """The next events behind a position, at most `limit` and 8 MiB."""
        rows = await self._fetch("fresh_events", {"after": after, "limit": limit, "most_bytes": PAGE_BYTES})
        json = rows.column(5)
        return [
            Fresh(
                position=rows.number(row, 0),
                event_id=rows.text(row, 1) or "",
                entity_type=rows.text(row, 2) or "",
                action=rows.text(row, 3) or "",
                correlation_id=rows.text(row, 4),
                json=json[row],
            )
            for row in range(len(rows))
        ]

    async def event(self, event_id: UUID) -> bytes:
        """One event as JSON; raises NotFound."""
        rows = await self._fetch("event_by_id", {"event_id": event_id})
        if not len(rows):
            raise NotFound(f"There is no event {event_id}")
        return rows.column(0)[0]

    async def _forward(self, wanted: Filter, first: int, last: int, limit: int, most_bytes: int) -> LogEvents:
        """A page of a range. `next` goes past what was found; `more` only tells of what the limits have left."""
        rows = await self._page(wanted, first, last, limit, most_bytes, "forward")
        after = rows.number(len(rows) - 1, 1) + 1 if len(rows) else first
        return LogEvents(rows, after, _is_full(rows, limit))

    async def _page(self, wanted: Filter, low: int, high: int, limit: int, most_bytes: int, direction: str) -> Rows:
        values = {**wanted.parameters(), "first": low, "last": high, "limit": limit, "most_bytes": most_bytes}
        return await self._fetch(f"{'linked' if wanted.looked_up else 'log'}_page_{direction}", values)


def _named(stream: tuple[str, str]) -> dict[str, Value]:
    return {"entity_type": stream[0], "originator_id": stream[1]}


def unknown_stream(stream: tuple[str, str], when: str = "") -> NotFound:
    """The error for a stream that is not there."""
    return NotFound(f"There is no stream of {stream[0]} {stream[1]!r}{when}")


def one_line(event: bytes) -> bytes:
    """The same JSON on one line: raw line ends stand only between its tokens, where a space says the same."""
    return event.replace(b"\n", b" ").replace(b"\r", b" ")


def _lines(events: list[bytes]) -> bytes:
    lines = b"\n".join(events)
    if lines.count(b"\n") >= len(events) or b"\r" in lines:  # hardly ever
        lines = b"\n".join([one_line(event) for event in events])
    return lines + b"\n"


def _is_full(rows: Rows, limit: int) -> bool:
    """Whether a page ended because of its limits, so that there may be more."""
    return len(rows) == limit or (len(rows) > 0 and bool(rows.number(len(rows) - 1, 2)))
