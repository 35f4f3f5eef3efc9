"""Pages of events as JSON text that PostgreSQL has made: Python touches no event of them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from eskit.errors import NotFound
from eskit.postgres.connections import Pool, use
from eskit.postgres.statements import statement
from eskit.selectors import Selector
from eventstore_svc.store.reads import PAGE_BYTES, SCAN_POSITIONS, head, selected

LAST_POSITION = 2**63 - 1
# A stream of lines is read in ranges of so many positions, large enough to cost no more than a large page does; while
# one is written, so many others are read, each on a connection of its own.
LINE_POSITIONS = 2000
LINES_AHEAD = 2


class StreamText(NamedTuple):
    """A page of a stream."""

    events: str  # JSON objects with commas between
    first: int  # least version of the page, 0 for an empty one
    last: int  # greatest version of the page, 0 for an empty one
    version: int  # of the stream as it is now


class LogText(NamedTuple):
    """A page of the log."""

    events: str  # JSON objects with commas, or line ends, between
    size: int  # how many, where that is known
    next: int | None  # the position to go on with; None where the log begins


class Fresh(NamedTuple):
    """An event just read, with what a filter looks at."""

    position: int
    event_id: str
    entity_type: str
    action: str
    correlation_id: str | None
    json: str


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which events of the log are wanted: all that fit every field."""

    selector: Selector = Selector()
    entity_type: str | None = None
    correlation_id: str | None = None
    event_id: UUID | None = None

    @property
    def looked_up(self) -> bool:
        """Whether an index finds them."""
        return self.correlation_id is not None or self.event_id is not None

    def matches(self, event: Fresh) -> bool:
        """Whether an event is wanted."""
        return (
            self.selector.matches(event.entity_type, event.action)
            and self.entity_type in {None, event.entity_type}
            and self.correlation_id in {None, event.correlation_id}
            and (self.event_id is None or str(self.event_id) == event.event_id)
        )

    def parameters(self) -> dict[str, Any]:
        """As the statements take it."""
        found = {**selected(self.selector), "entity_type": self.entity_type}
        if self.looked_up:
            found |= {"correlation_id": self.correlation_id, "event_id": self.event_id,
                      "correlates_with": _as_uuid(self.correlation_id)}  # fmt: skip
        return found


class Form(NamedTuple):
    """How the events of a page of the log are put together."""

    separator: str
    one_line: bool  # no event spans lines
    labelled: bool = False  # each with its position, as a server-sent event


ARRAY = Form(",", one_line=False)
LINES = Form("\n", one_line=True)
MESSAGES = Form("\n\n", one_line=True, labelled=True)


class _Shape(NamedTuple):
    """How a page of the log is read."""

    form: Form
    limit: int
    forward: bool = True


class Pages:
    """Reads pages; see `EventStore.pages`."""

    def __init__(self, pool: Pool) -> None:
        """On the pool of the store."""
        self._pool = pool

    async def stream(
        self, stream: tuple[str, str], *, from_version: int, to_version: int, limit: int, forward: bool = True
    ) -> StreamText:
        """At most `limit` events and 8 MiB of a stream (entity type, id); raises NotFound for one that is not there."""
        values = {"entity_type": stream[0], "originator_id": stream[1], "from_version": from_version,
                  "to_version": to_version, "limit": limit, "most_bytes": PAGE_BYTES}  # fmt: skip
        row = await self._row("stream_page_forward" if forward else "stream_page_backward", values)
        if row is None or row[3] is None:
            raise unknown_stream(stream)
        return StreamText(row[0] or "", row[1] or 0, row[2] or 0, row[3])

    async def version_at(self, stream: tuple[str, str], *, position: int | None, at: datetime | None) -> int:
        """The version a stream had when the log ended there; raises NotFound when it did not exist yet."""
        values = {"entity_type": stream[0], "originator_id": stream[1], "position": position, "at": at}
        row = await self._row("version_at", values)
        if row is None or not row[0]:
            raise unknown_stream(stream, " at that point of the log")
        return int(row[0])

    async def log(
        self, wanted: Filter, first: int, limit: int, *, form: Form = ARRAY, until: int = LAST_POSITION
    ) -> LogText:
        """At most `limit` events and 8 MiB of the log from a position (inclusive) on; `next` is always a number."""
        return await self._forward(wanted, first, _Shape(form, limit), until)

    async def log_backward(self, wanted: Filter, first: int | None, limit: int) -> LogText:
        """The same from a position down, by default from the log's end."""
        end = (await head(self._pool)).position
        return await self._backward(wanted, end if first is None else min(first, end), _Shape(ARRAY, limit, False))

    async def lines(self, wanted: Filter, first: int, until: int) -> AsyncIterator[str]:
        """All events up to a position, as lines, in pieces. No connection is held while a piece is with its reader."""
        size = LAST_POSITION if wanted.looked_up else LINE_POSITIONS
        ahead = deque[tuple[int, asyncio.Task[LogText]]]()
        try:
            while first <= until or ahead:
                while first <= until and len(ahead) <= LINES_AHEAD:
                    last = min(first + size - 1, until)
                    ahead.append((last, asyncio.create_task(self._range(wanted, first, last))))
                    first = last + 1
                last, reading = ahead.popleft()
                page = await reading
                while True:
                    if page.events:
                        yield page.events + "\n"
                    if page.next is None or page.next > last:
                        break
                    page = await self._range(wanted, page.next, last)
        finally:
            for _, reading in ahead:
                reading.cancel()
            await asyncio.gather(*(reading for _, reading in ahead), return_exceptions=True)

    async def _range(self, wanted: Filter, first: int, last: int) -> LogText:
        """All of a range where it is small, as ranges are; else its beginning."""
        if not wanted.looked_up:
            values = {**wanted.parameters(), "first": first, "last": last, "most_bytes": PAGE_BYTES}
            row = await self._row("log_range", values)
            if row is not None and row[0]:
                return LogText(row[1] or "", 0, last + 1)
        return await self._forward(wanted, first, _Shape(LINES, LINE_POSITIONS), last)

    async def fresh(self, after: int, limit: int) -> list[Fresh]:
        """The next events behind a position, at most `limit` and 8 MiB."""
        values = {"after": after, "limit": limit, "most_bytes": PAGE_BYTES}
        text = statement("eventstore_svc", "fresh_events")

        async def fetch(connection: AsyncConnection) -> list[Fresh]:
            async with connection.cursor(binary=True) as cursor:
                await cursor.execute(text, values)
                return [Fresh(*row) for row in await cursor.fetchall()]

        return await use(self._pool, fetch)

    async def event(self, event_id: UUID) -> str:
        """One event as JSON; raises NotFound."""
        row = await self._row("event_by_id", {"event_id": event_id})
        if row is None:
            raise NotFound(f"There is no event {event_id}")
        return str(row[0])

    async def _forward(self, wanted: Filter, first: int, shape: _Shape, until: int) -> LogText:
        # A selector that nothing matches must not walk the whole log in one request.
        reach = LAST_POSITION if wanted.looked_up else first + SCAN_POSITIONS - 1
        last = min(reach, until)
        text, count, _, greatest, size, end = await self._page(wanted, first, last, shape)
        after = greatest + 1 if _is_full(count, size, shape) else max(min(last, end) + 1, first)
        return LogText(text, count, after)

    async def _backward(self, wanted: Filter, first: int, shape: _Shape) -> LogText:
        last = 1 if wanted.looked_up else max(1, first - SCAN_POSITIONS + 1)
        text, count, least, _, size, _ = await self._page(wanted, last, first, shape)
        after = (least if _is_full(count, size, shape) else last) - 1
        return LogText(text, count, after if after > 0 else None)

    async def _page(self, wanted: Filter, low: int, high: int, shape: _Shape) -> tuple[str, int, int, int, int, int]:
        """Events, how many, least and greatest position, bytes of payloads, and the log's end."""
        values = {**wanted.parameters(), "first": low, "last": high, "limit": shape.limit, "most_bytes": PAGE_BYTES,
                  **shape.form._asdict()}  # fmt: skip
        kind = "linked" if wanted.looked_up else "log"
        row = await self._row(f"{kind}_page_{'forward' if shape.forward else 'backward'}", values)
        text, count, least, greatest, size, end = row or (None, 0, 0, 0, 0, 0)
        return text or "", count, least or 0, greatest or 0, size or 0, end

    async def _row(self, name: str, values: dict[str, Any]) -> tuple[Any, ...] | None:
        text = statement("eventstore_svc", name)

        async def fetch(connection: AsyncConnection) -> tuple[Any, ...] | None:
            async with connection.cursor(binary=True) as cursor:
                await cursor.execute(text, values)
                return await cursor.fetchone()

        return await use(self._pool, fetch)


def unknown_stream(stream: tuple[str, str], when: str = "") -> NotFound:
    """The error for a stream that is not there."""
    return NotFound(f"There is no stream of {stream[0]} {stream[1]!r}{when}")


def _is_full(count: int, size_bytes: int, shape: _Shape) -> bool:
    """Whether a page ended because of its limits, so that there may be more."""
    return count == shape.limit or size_bytes >= PAGE_BYTES


def _as_uuid(text: str | None) -> UUID | None:
    """The event id that a correlation id is, where it is one in the form we make."""
    try:
        found = UUID(text or "")
    except ValueError:
        return None
    return found if str(found) == text else None
