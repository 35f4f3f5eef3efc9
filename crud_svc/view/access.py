"""Which index serves a list, and which one it would need. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from crud_svc.view.fields import SortKey
from crud_svc.view.filters import Condition
from crud_svc.view.indexes import MAX_FIELDS, Index
from crud_svc.view.listing import Listing


class Path(NamedTuple):
    """A way to the entities of a list: those that meet `found` are found without looking at others."""

    found: tuple[Condition, ...]
    ordered: bool  # they come in the order of the list
    whole: bool  # there are no other conditions

    @property
    def straight(self) -> bool:
        """Whether a page costs no more than its entities."""
        return self.ordered and self.whole


def paths(listing: Listing, indexes: Iterable[Index]) -> list[Path]:
    """All ways, the best first; the last one is through all entities of the type."""
    # Declared indexes do not have what is deleted.
    usable = () if listing.deleted else indexes
    found = [_path(listing, index) for index in usable]
    useful = [path for path in found if path.found or path.ordered]
    return [*sorted(useful, key=_worth, reverse=True), Path((), not listing.sort, not listing.conditions)]


def _worth(path: Path) -> tuple[bool, int]:
    return path.straight, len(path.found)


def _path(listing: Listing, index: Index) -> Path:
    exact = {one.field: one for one in listing.conditions if one.exact}
    leading = 0
    while leading < len(index.fields) and index.fields[leading].field in exact:
        leading += 1
    rest = index.fields[leading:]
    found = [exact[key.field] for key in index.fields[:leading]]
    if rest:
        found += [one for one in listing.conditions if one.field == rest[0].field and not one.exact]
    return Path(tuple(found), _ordered(listing, exact, rest), len(found) == len(listing.conditions))


def _ordered(listing: Listing, exact: Iterable[object], rest: tuple[SortKey, ...]) -> bool:
    """Whether what an index has behind its exact fields is the order of the list, forwards or backwards."""
    fields = set(exact)
    sort = tuple(key for key in listing.sort if key.field not in fields)
    mirrored = tuple(SortKey(key.field, not key.descending) for key in sort)
    return rest in {sort, mirrored}


def needed(listing: Listing) -> Index:
    """The index that would serve the list best."""
    exact = [SortKey(one.field) for one in listing.conditions if one.exact]
    fields = {key.field for key in exact}
    behind = [key for key in listing.sort if key.field not in fields]
    if not behind:
        behind = [SortKey(one.field) for one in listing.conditions if not one.exact][:1]
    return Index(tuple(dict.fromkeys([*exact, *behind]))[:MAX_FIELDS])
