"""Lists from the entity view: fresh as of the request, if that comes in time; never by looking at too many entities."""

from __future__ import annotations

import asyncio
import time
from typing import Any, NamedTuple

import msgspec
from psycopg import AsyncConnection

from crud_svc.view.access import needed, paths
from crud_svc.view.consumer import NAME, PACKAGE
from crud_svc.view.cursors import Place
from crud_svc.view.database import ViewDatabase, rows
from crud_svc.view.freshness import POLL_S, Asking, Progress, Waiting, position, reached
from crud_svc.view.indexes import Index, index_of
from crud_svc.view.listing import Entity, Listing, Page
from crud_svc.view.statements import counted, estimated, page
from eskit.errors import IndexNeeded, Unavailable
from eskit.postgres.statements import statement
from eskit.settings import Settings
from eventstore_svc.store import Ends, EventStore

PROGRESS = statement(PACKAGE, "progress")
READY = statement(PACKAGE, "ready")

INDEXES_KEPT_S = 1.0
UNKNOWN_S = 0.05
EVERY = 2**62


class Found(NamedTuple):
    """A page, and how new it is."""

    page: Page
    position: int  # everything up to here is in it
    stale: bool  # it lacks some of what was in the log at the request


class Known(NamedTuple):
    """The declared indexes of a type, as they were at some time."""

    at_s: float
    ready: list[Index]
    unbuilt: list[Index]


class Search:
    """Answers lists."""

    def __init__(self, database: ViewDatabase, store: EventStore, settings: Settings) -> None:
        """Asks nothing yet."""
        self._database = database
        self._at = {"consumer": NAME, "topic": settings.topic}
        self._scan_rows = settings.view_scan_rows
        self._asking = Asking(store.ends)
        self._waiting = Waiting(self._progress)
        self._known: dict[str, Known] = {}
        self._behind = False

    async def page(self, listing: Listing, place: Place | None, limit: int, *, with_body: bool, wait_s: float) -> Found:
        """A page. Waits up to `wait_s` for the view. Raises IndexNeeded, Unavailable."""
        deadline = time.monotonic() + wait_s
        await self.require_served(listing)
        query, values = page(listing, place, limit=limit + 1, with_body=with_body)
        values |= self._at
        if self._behind and wait_s > 0:
            # Where others had to wait just now, a page at once would most likely be read in vain.
            ends = await self._reached(await self._asking.ends(), deadline)
            progress, found = await self._page(query, values, limit)
        else:
            # Side by side: a page that has the ends as they are has them, whichever of the two was read first.
            asked = self._asking.begin()
            progress, found = await self._page(query, values, limit)
            ends = await asked
            if wait_s > 0 and not reached(ends, progress):
                ends = await self._reached(ends, deadline)
                progress, found = await self._page(query, values, limit)
        return Found(found, position(ends, progress), not reached(ends, progress))

    async def _reached(self, ends: Ends, deadline: float) -> Ends:
        """Wait for the view; for which ends, should they not have been known before."""
        began = time.monotonic()
        while ends.last is None and time.monotonic() + UNKNOWN_S < deadline:
            # The relay has much to publish, or has yet to say where the partitions end.
            await asyncio.sleep(UNKNOWN_S)
            ends = await self._asking.ends()
        await self._waiting.until(ends, deadline - time.monotonic())
        self._behind = time.monotonic() - began > POLL_S
        return ends

    async def _page(self, text: str, values: dict[str, Any], limit: int) -> tuple[Progress, Page]:
        found = await self._database.rows(text, values)
        progress = {int(number): last for number, last in msgspec.json.decode(found[0][0]).items()}
        entities = [Entity._make((*row[1:8], tuple(row[8]))) for row in found if row[1] is not None]
        shown = entities[:limit]
        more = bool(shown) and found[0][9] > len(shown)
        return progress, Page(shown, shown[-1].place if more else None)

    async def count(self, listing: Listing, *, exact: bool) -> int:
        """How many entities the list has, or about how many. Raises Unavailable."""
        if exact:
            query, values = counted(listing, listing.conditions, EVERY)
            return int((await self._database.rows(query, values))[0][0])
        query, values = estimated(listing)
        [[[plan]]] = await self._database.rows(query, values)
        return int(plan["Plan"]["Plan Rows"])

    async def require_served(self, listing: Listing) -> None:
        """Refuse what would look at too many entities: raises IndexNeeded, which names the index to declare."""
        if not listing.conditions and not listing.sort:
            return
        known = await self._indexes(listing.entity_type)
        if await self._serves(known.ready, listing):
            return
        # What is known of indexes may be old.
        now = self._known[listing.entity_type] = await self.indexes(listing.entity_type)
        if now.ready == known.ready or not await self._serves(now.ready, listing):
            raise self._refusal(listing, now)

    async def _serves(self, indexes: list[Index], listing: Listing) -> bool:
        """Whether with these a page costs no more than its entities, or few enough have to be looked at."""
        ways = paths(listing, indexes)
        if any(way.straight for way in ways):
            return True

        async def fits(connection: AsyncConnection) -> bool:
            for way in ways:
                query, values = counted(listing, way.found, self._scan_rows + 1)
                [[many]] = await rows(connection, query, values)
                if many <= self._scan_rows:
                    return True
            return False

        return await self._database.use(fits)

    def _refusal(self, listing: Listing, known: Known) -> Exception:
        wanted = needed(listing)
        over = f"The list would have to look at more than {self._scan_rows} entities (ESKIT_VIEW_SCAN_ROWS)"
        if listing.deleted:
            detail = f"{over}: with deleted=true no index serves it; leave filters and sort out"
            return IndexNeeded(detail, field="deleted")
        if wanted in known.unbuilt:
            return Unavailable(f"{over}, and the index on {', '.join(wanted.texts)} is still being built; try again")
        if wanted in known.ready:
            detail = f"{over}, also with the index on {', '.join(wanted.texts)}: narrow its filters"
            return IndexNeeded(detail, field="filter")
        detail = f"{over}: declare an index, POST /v1/types/{listing.entity_type}/indexes, on {', '.join(wanted.texts)}"
        return IndexNeeded(detail, field="filter" if listing.conditions else "sort", index={"fields": wanted.texts})

    async def indexes(self, entity_type: str) -> Known:
        """The indexes of a type as the view has them now. Raises Unavailable."""
        found = await self._database.rows(READY, {"entity_type": entity_type})
        ready = [index_of(fields) for fields, built in found if built]
        return Known(time.monotonic(), ready, [index_of(fields) for fields, built in found if not built])

    async def _indexes(self, entity_type: str) -> Known:
        known = self._known.get(entity_type)
        if known is None or time.monotonic() - known.at_s > INDEXES_KEPT_S:
            if len(self._known) > 10_000:
                self._known.clear()
            known = self._known[entity_type] = await self.indexes(entity_type)
        return known

    async def _progress(self) -> Progress:
        return dict(await self._database.rows(PROGRESS, self._at))

    async def close(self) -> None:
        """Stop what works beside."""
        await self._waiting.close()
