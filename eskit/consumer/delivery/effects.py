"""How the handlers of some events are called: one by one, in a batch; outside or inside of a transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from eskit.consumer.delivery.items import Item
from eskit.consumer.delivery.routes import Call, Record


class Effects(Protocol):
    """Calls handlers for events that follow one another in a partition."""

    async def apply(self, items: Sequence[Item], next_offset: int, position: int | None) -> None:
        """All of them have had their effect when it returns; raises what a handler raises.

        In a transaction: all or nothing, together with the offset and the log position behind which all
        is done. Raises Fenced.
        """

    async def redo(self, item: Item) -> None:
        """The same for one that had been set aside and whose offset was passed long ago."""


async def one_by_one(items: Sequence[Item], *more: Any) -> None:
    """Each event to each of its handlers."""
    for item in items:
        for call in item.calls:
            await call(item.record, *more)


async def in_batches(items: Sequence[Item], *more: Any) -> None:
    """Each handler gets its events in one call; handlers in the order of their declaration."""
    wanted: dict[Call, list[Record | None]] = {}
    for item in items:
        for call in item.calls:
            wanted.setdefault(call, []).append(item.record)
    for call, records in wanted.items():
        await call(records, *more)


class Outside:
    """Effects that know nothing of offsets: those are committed after them."""

    def __init__(self, *, batches: bool) -> None:
        self._call = in_batches if batches else one_by_one

    async def apply(self, items: Sequence[Item], next_offset: int, position: int | None) -> None:  # noqa: ARG002
        """As Effects says."""
        await self._call(items)

    async def redo(self, item: Item) -> None:
        """As Effects says."""
        await self._call([item])
