"""Counts of the log's events: what a batch adds to a partition's, and what a partition has. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from eskit.consumer import Record

CRUD_ACTIONS = frozenset({"Created", "Updated", "Deleted", "Restored"})


class Type(NamedTuple):
    """The labels of a count."""

    entity_type: str
    event_type: str

    @property
    def crud(self) -> bool:
        """Whether its action is one of an entity's life."""
        return self.event_type.rpartition(".")[2] in CRUD_ACTIONS


class Batch(NamedTuple):
    """What is to be added to one partition; `events`: in the order in which the types came."""

    partition: int
    last_position: int
    events: dict[Type, int]


@dataclass
class PartitionCounts:
    """What is counted of one partition."""

    last_position: int = 0
    stored: Counter[Type] = field(default_factory=Counter)
    crud: Counter[Type] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        """All events."""
        return self.stored.total()


def batch(records: Sequence[Record], last_position: int) -> Batch | None:
    """The records of one partition behind the last position that is counted; None, if all are counted already.

    Positions rise within a partition, so a log that is read again, after a reset or on a new topic, adds nothing.
    """
    new = [record for record in records if record.event.position > last_position]
    if not new:
        return None
    types = Counter(Type(record.event.entity_type, record.event.event_type) for record in new)
    return Batch(new[0].partition, new[-1].event.position, dict(types))


def loaded(
    rows: Iterable[tuple[int, int, str, str, int, int]], partitions: Iterable[int]
) -> dict[int, PartitionCounts]:
    """The rows of the table by partition; each of `partitions` is in it, with zeros when nothing is counted yet."""
    found = {number: PartitionCounts() for number in partitions}
    for partition, last_position, entity_type, event_type, events, crud in rows:
        counts, kind = found[partition], Type(entity_type, event_type)
        counts.last_position = last_position
        counts.stored[kind] = events
        if crud:
            counts.crud[kind] = crud
    return found
