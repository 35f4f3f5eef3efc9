"""Counts of the log's events, for each partition apart: a fold, made anew whenever a partition comes. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

# Every pair is a time series in Prometheus; should somebody make types up without end, it must not pay for that.
MAX_TYPES = 1000
CRUD_ACTIONS = frozenset({"Created", "Updated", "Deleted", "Restored"})


class Type(NamedTuple):
    """The labels of a count."""

    entity_type: str
    event_type: str


OTHER = Type("other", "other")


class PartitionCounts:
    """One partition."""

    def __init__(self) -> None:
        self.last_position = 0
        self.count = 0
        self.stored: Counter[Type] = Counter()
        self.crud: Counter[Type] = Counter()


class Counts:
    """All partitions of this process. The first `MAX_TYPES` types have counts of their own, the rest shares `other`."""

    def __init__(self, max_types: int = MAX_TYPES) -> None:
        self.partitions: dict[int, PartitionCounts] = {}
        self._max_types = max_types
        self._known: set[Type] = set()

    def add(self, partition: int, position: int, entity_type: str, event_type: str) -> None:
        """One event. The caller sees to it that it comes once."""
        counts = self.partitions.setdefault(partition, PartitionCounts())
        kind = self._label(Type(entity_type, event_type))
        counts.last_position = position
        counts.count += 1
        counts.stored[kind] += 1
        if event_type.rpartition(".")[2] in CRUD_ACTIONS:
            counts.crud[kind] += 1

    def begin(self, partitions: Iterable[int]) -> None:
        """These are ours now, and will be read from their beginning."""
        for number in partitions:
            self.partitions[number] = PartitionCounts()

    def drop(self, partitions: Iterable[int]) -> None:
        """These are not ours any more: whoever has them now counts them from their beginning."""
        for number in partitions:
            self.partitions.pop(number, None)

    def _label(self, kind: Type) -> Type:
        if kind not in self._known:
            if len(self._known) >= self._max_types:
                return OTHER
            self._known.add(kind)
        return kind
