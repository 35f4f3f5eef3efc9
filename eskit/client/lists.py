"""Which entities to list, and what a list answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic, Literal, TypeVar

import msgspec

T = TypeVar("T")


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """Which entities, in which order. The pages of one list must ask the same."""

    where: Mapping[str, Any] = {}
    """Field, or field and comparison: `{"city": "Bern", "age.gte": 18, "name.in": ["Ann", "Bo"]}`."""
    sort: str | None = None
    """`name,-age`: by name, the greatest age first."""
    fields: Sequence[str] = ()
    """Only these members of the documents: the class must be content with them."""
    deleted: bool = False
    count: Literal["estimate", "exact"] | None = None
    position: int | None = None
    """As it was when the log ended there; without: as it is."""
    wait_s: float | None = None
    """How long to wait for what was just written; without: as long as the service does by itself."""

    def parameters(self) -> dict[str, Any]:
        """For the query of a URL. Values go as JSON, so that `"5"` and `5` are told apart."""
        return {f"filter.{name}": msgspec.json.encode(value).decode() for name, value in self.where.items()} | {
            "sort": self.sort,
            "fields": msgspec.json.encode(self.fields).decode() if self.fields else None,
            "deleted": self.deleted or None,
            "count": self.count,
            "position": self.position,
            "wait": self.wait_s,
        }


EVERYTHING = Query()


class Entity(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """An entity as it was read."""

    id: str
    version: int
    position: int  # of the event that made the version
    document: T
    body: bytes  # the document as it is stored, numbers as they were sent
    deleted: bool = False


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """A page of a list; `next` is the cursor to go on with, None at the end.

    `view_position`: how far the list knew the log; `stale`: that was not all of it when it was asked.
    """

    entities: list[Entity[T]]
    next: str | None
    count: int | None = None
    view_position: int | None = None
    stale: bool = False
