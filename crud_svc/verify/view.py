"""The entity view as one of the copies: each row is what the events make of its version, and none is missing or old."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping

import msgspec

from crud_svc.verify.comparing import Copies, Difference
from crud_svc.verify.copies import Copy, Key, Log, Scope
from crud_svc.view.consumer import MADE, NAME, PACKAGE
from crud_svc.view.database import ViewDatabase
from eskit import times
from eskit.kafka.murmur2 import partition
from eskit.postgres.statements import statement

VERIFY = statement(PACKAGE, "verify")


class ViewRows:
    """Reads the view, page by page."""

    def __init__(self, database: ViewDatabase, topic: str, scope: Scope) -> None:
        """`topic`: of the log, whose partitions the view's progress counts in."""
        self._database = database
        self._at = {"consumer": NAME, "topic": topic}
        self._scope = scope
        self.progress: Mapping[int, int] = {}  # of the last page that was read

    async def there(self) -> bool:
        """Whether there is a view."""
        return await self._database.rows(MADE, {}) == [(True,)]

    async def copies(self) -> AsyncGenerator[Copy, None]:
        """Every row. Those that are ahead of the scope, too: there is nothing to compare them with."""
        after = self._scope.first()
        while True:
            rows = await self._database.rows(VERIFY, {**self._scope.values(after), **self._at})
            self.progress = {int(number): last for number, last in msgspec.json.decode(rows[0][0]).items()}
            if rows[0][1] is None:
                return
            for _, kind, ident, version, position, modified_at, deleted_at, body in rows:
                after = Key(kind, ident.encode(), version)
                yield Copy(after, position, times.micros(modified_at), deleted_at, body.encode())


class ViewCopies(Copies):
    """Holds the view against the log."""

    def __init__(self, rows: ViewRows, scope: Scope, partitions: int) -> None:
        """`partitions`: of the topic that the view is kept from."""
        super().__init__("row", "rows of the view", rows.copies())
        self.behind = 0  # entities whose last events the view has yet to get
        self._rows = rows
        self._scope = scope
        self._partitions = partitions
        self._last: Copy | None = None
        self._progress_then: Mapping[int, int] = {}  # when it was read

    async def advance(self) -> None:
        """To the next row; the one before is kept in mind."""
        self._last = self.next
        self._progress_then = self._rows.progress
        await super().advance()

    def without_event(self, copy: Copy) -> Difference | None:
        """A row may be ahead of what is looked at."""
        return None if copy.position > self._scope.position else super().without_event(copy)

    def stream_ended(self, log: Log) -> Difference | None:
        """Whether the view has the last version of the entity, as far as it has come."""
        ought = log.copy()
        if not ought.body:
            return None  # others' events only
        row, progress = self._row(ought.key)
        if row is not None and row.key.version >= ought.key.version:
            return None
        if progress.get(partition(ought.key.id.decode(), self._partitions), 0) < ought.position:
            self.behind += 1
            return None
        if row is None:
            return Difference(self.of, ought.key, "the view has none of this entity")
        return Difference(self.of, ought.key, f"the view is at version {row.key.version}")

    def _row(self, key: Key) -> tuple[Copy | None, Mapping[int, int]]:
        """Of an entity that the walk is at: the row, if there is one, and how far the view had come then."""
        for row, progress in ((self._last, self._progress_then), (self.next, self._rows.progress)):
            if row is not None and row.key[:2] == key[:2]:
                return row, progress
        return None, self._rows.progress
