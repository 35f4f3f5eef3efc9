"""What is asked of a list, and what a page of it holds. Pure."""

from __future__ import annotations

from typing import Any, NamedTuple

from crud_svc.view.cursors import Place, digest
from crud_svc.view.fields import SortKey
from crud_svc.view.filters import Condition
from crud_svc.view.keys import at, sort_key


class Listing(NamedTuple):
    """A list: which entities, in which order. The order ends with the id, in the direction of the last sort key."""

    entity_type: str
    conditions: tuple[Condition, ...] = ()
    sort: tuple[SortKey, ...] = ()
    deleted: bool = False  # whether deleted entities are among them
    position: int | None = None  # as it was when the log ended here

    @property
    def descending(self) -> tuple[bool, ...]:
        """Of each sort key and of the id."""
        return (*(key.descending for key in self.sort), bool(self.sort) and self.sort[-1].descending)

    def digest(self) -> bytes:
        """What its cursors are bound to."""
        wanted = [(one.field.steps, one.op, [f"{type(v)} {v!r}" for v in one.values]) for one in self.conditions]
        return digest(self.entity_type, wanted, [str(key) for key in self.sort], self.deleted, self.position)

    def keys(self, document: Any) -> tuple[str, ...]:
        """What a document is sorted by."""
        return tuple(sort_key(at(document, key.field.steps)) for key in self.sort)


class Entity(NamedTuple):
    """An entity of a page. Times in microseconds since 1970."""

    id: str
    version: int
    position: int
    created_us: int
    modified_us: int
    deleted_at: int
    body: str | None  # None: not asked for
    keys: tuple[str, ...]

    @property
    def place(self) -> Place:
        """Where a page that ends with it leaves off."""
        return Place(self.keys, self.id)


# Documents of a page; it ends early, wherever it has so much.
MOST_BYTES = 8 * 1024 * 1024


class Page(NamedTuple):
    """A part of a list."""

    entities: list[Entity]
    next: Place | None  # where to go on; None at the end
