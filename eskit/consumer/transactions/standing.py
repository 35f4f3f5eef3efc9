"""How far the consumers of views have come, as the views themselves say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import tuple_row

from eskit.consumer.transactions.target import PACKAGE, View
from eskit.errors import NotFound
from eskit.postgres.boundary import boundary
from eskit.postgres.statements import statement

STANDING = statement(PACKAGE, "standing")
HOLD = statement(PACKAGE, "hold")


class Stand(NamedTuple):
    """One partition of a view. `next_offset`: None when nothing is done yet."""

    epoch: int
    next_offset: int | None
    position: int | None


async def standing(view: View) -> dict[int, Stand]:
    """Of each partition. Raises NotFound for a view that was never begun, Unavailable."""
    with boundary():
        async with view.pool.connection() as connection:
            try:
                return await _rows(connection, view, STANDING)
            except psycopg.errors.UndefinedTable:
                raise NotFound(f"there is no view of {view.consumer} in schema {view.schema}") from None


async def held(connection: AsyncConnection[Any], view: View) -> dict[int, Stand]:
    """The same, and it stays so until the connection's transaction ends: whoever moves it waits."""
    with boundary():
        return await _rows(connection, view, HOLD)


async def _rows(connection: AsyncConnection[Any], view: View, text: Any) -> dict[int, Stand]:
    values = {"consumer": view.consumer, "topic": view.topic}
    cursor = await connection.cursor(row_factory=tuple_row).execute(text, values)
    return {number: Stand(*rest) for number, *rest in await cursor.fetchall()}


class Way:
    """A topic's partitions with their first records: where a consumer stands that has done nothing."""

    def __init__(self, beginnings: Mapping[int, int]) -> None:
        self.beginnings = beginnings

    def offsets(self, stands: Mapping[int, Stand]) -> dict[int, int]:
        """The next record of each partition."""
        return {
            number: first if (stand := stands.get(number)) is None or stand.next_offset is None else stand.next_offset
            for number, first in self.beginnings.items()
        }

    @staticmethod
    def behind(offsets: Mapping[int, int], others: Mapping[int, int]) -> int:
        """So many records the first is behind, over the partitions where it is."""
        return sum(max(0, others[number] - offset) for number, offset in offsets.items())
