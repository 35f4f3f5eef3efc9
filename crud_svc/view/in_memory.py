"""Lists on a log in memory, for tests of programs that use them: the same answers, folded anew for each."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, cast

from crud_svc.view.cursors import Place
from crud_svc.view.listing import Listing
from crud_svc.view.past import past
from crud_svc.view.searching import Found, Known, Search
from eskit.settings import Settings
from eventstore_svc.store import EventStore

if TYPE_CHECKING:
    from crud_svc.view.database import ViewDatabase


class MemorySearch(Search):
    """Answers lists without a view: they are as fresh as the log, and need no index."""

    def __init__(self, store: EventStore, settings: Settings) -> None:
        super().__init__(cast("ViewDatabase", None), store, settings)
        self._store = store

    async def page(self, listing: Listing, place: Place | None, limit: int, *, with_body: bool, wait_s: float) -> Found:
        """As Search says; there is nothing to wait for."""
        del wait_s
        head = (await self._store.head()).position
        as_of = listing._replace(position=head)
        return Found(await past(self._store, as_of, place, limit, with_body=with_body), head, stale=False)

    async def count(self, listing: Listing, *, exact: bool) -> int:
        """As Search says; an estimate is exact."""
        del exact
        found, place = 0, None
        while True:
            page = (await self.page(listing, place, 1000, with_body=False, wait_s=0)).page
            found, place = found + len(page.entities), page.next
            if place is None:
                return found

    async def indexes(self, entity_type: str) -> Known:
        """As Search says; none is ever built."""
        del entity_type
        return Known(time.monotonic(), [], [])
