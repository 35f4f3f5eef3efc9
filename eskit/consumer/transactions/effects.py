"""The effects of a partition's events inside of transactions that move its offset, too."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import tuple_row

from eskit.consumer.delivery.effects import in_batches, one_by_one
from eskit.consumer.delivery.items import Item
from eskit.consumer.delivery.progress import Progress
from eskit.consumer.delivery.stopping import cancelled_after_all
from eskit.consumer.errors import InDoubt
from eskit.consumer.transactions.target import ADVANCE, PACKAGE, View
from eskit.errors import Fenced, Unavailable
from eskit.postgres.boundary import AWAY, boundary
from eskit.postgres.statements import statement

STANDS = statement(PACKAGE, "stands")
DRAIN = statement(PACKAGE, "drain")

NO_ANSWER: tuple[type[Exception], ...] = (*AWAY, Unavailable)

# An offset alone, past records without an effect, is worth a transaction only now and then.
ALONE_RECORDS = 1000
ALONE_S = 1.0


class Inside:
    """Effects of one partition, by one claim."""

    def __init__(self, view: View, progress: Progress, *, batches: bool) -> None:
        """`progress`: begun where the view says, not where the offsets service does."""
        self._view = view
        self._progress = progress
        self._call = in_batches if batches else one_by_one
        self._at = view.at(progress.partition, epoch=progress.epoch)
        self._stored = progress.next_offset
        self._stored_s = time.monotonic()
        # A transaction has ended without an answer: committed or not, the view knows.
        self._in_doubt = False

    async def apply(self, items: Sequence[Item], next_offset: int, position: int | None) -> None:
        """As Effects says."""
        if not items and not self._worth_it(next_offset):
            return
        # What fails before its COMMIT is rolled back; beyond, only the view knows, and it may be away.
        doubtful = self._in_doubt
        try:
            async with self._view.pool.connection() as connection:
                if self._in_doubt:
                    await self._look(connection)
                if self._stored is not None and self._stored >= next_offset:
                    return
                doubtful = False
                async with connection.transaction():
                    await self._call(items, connection)
                    cancelled_after_all()
                    await self._advance(connection, next_offset, position)
                    doubtful = self._in_doubt = True
        except NO_ANSWER as error:
            if doubtful:
                raise InDoubt(f"the view does not tell whether a commit has happened: {error}") from error
            raise
        self._in_doubt = False
        self._stored, self._stored_s = next_offset, time.monotonic()

    async def redo(self, item: Item) -> None:
        """As Effects says."""
        async with self._view.pool.connection() as connection, connection.transaction():
            await self._look(connection)
            await self._pass_by(connection, item.offset)
            if await self._row(connection, DRAIN, {**self._at, "record_offset": item.offset}) is not None:
                await self._call([item], connection)
                cancelled_after_all()

    async def _pass_by(self, connection: AsyncConnection[Any], offset: int) -> None:
        """When nothing with an effect came behind a record, the view still stands before it: read again, it would
        have its effect again."""
        reached = self._progress.next_offset
        if reached is not None and (self._stored is None or self._stored <= offset) and offset < reached:
            self._in_doubt = True
            await self._advance(connection, reached, self._progress.last_position or None)

    def _worth_it(self, next_offset: int) -> bool:
        return next_offset - (self._stored or 0) >= ALONE_RECORDS or time.monotonic() - self._stored_s >= ALONE_S

    async def _look(self, connection: AsyncConnection[Any]) -> None:
        row = await self._row(connection, STANDS, self._at)
        if row is None:
            raise self._fenced()
        self._stored, self._in_doubt = row[0], False

    async def _advance(self, connection: AsyncConnection[Any], next_offset: int, position: int | None) -> None:
        values = {**self._at, "next_offset": next_offset, "position": position, "before": self._stored}
        with boundary():
            moved = await connection.cursor(row_factory=tuple_row).execute(ADVANCE, values)
        if moved.rowcount != 1:
            raise self._fenced()

    async def _row(self, connection: AsyncConnection[Any], text: Any, values: dict[str, Any]) -> tuple[Any, ...] | None:
        with boundary():
            cursor = await connection.cursor(row_factory=tuple_row).execute(text, values)
            return await cursor.fetchone()

    def _fenced(self) -> Fenced:
        where = f"{self._at['topic']} {self._at['partition']}"
        return Fenced(f"{where}: somebody else has claimed it, or moved the view's offset", epoch=0)
