"""Reading many entities with one query: those that are short enough, as most are. The others are read one by one."""

from __future__ import annotations

from collections.abc import Sequence

from crud_svc.documents.state import Fold, State
from crud_svc.entities.folded import Folded, micros, snapshot
from crud_svc.entities.target import Target
from crud_svc.snapshots.snapshotter import FORMAT
from eventstore_svc.store import Fetcher, Rows

# Of one query: entities, events of each, and bytes of all of them.
MANY = 100
MANY_EVENTS = 200
MANY_BYTES = 4 * 1024 * 1024


async def fold_many(fetcher: Fetcher, targets: Sequence[Target]) -> dict[Target, Folded]:
    """The present states of at most MANY entities, but of those that would take too much. Raises Unavailable."""
    rows = await fetcher.fetch(
        "read_entities",
        {
            "entity_types": [target.entity_type for target in targets],
            "originator_ids": [target.id for target in targets],
            "format": FORMAT,
            "limit": MANY_EVENTS,
            "most_bytes": MANY_BYTES,
        },
    )
    found = {target: Folded(State(), 0, 0) for target in targets}
    size = first = 0
    for row in range(len(rows)):
        size += len(rows.bytes(row, 5))
        if row + 1 == len(rows) or rows.number(row + 1, 0) != rows.number(row, 0):
            _add(rows, range(first, row + 1), targets, found)
            first = row + 1
    if size >= MANY_BYTES:
        # It ends within the last one, or behind it: of those that were not reached nothing is known.
        for target in targets[rows.number(len(rows) - 1, 0) - 1 :]:
            found.pop(target, None)
    return found


def _add(rows: Rows, part: range, targets: Sequence[Target], found: dict[Target, Folded]) -> None:
    """The rows of one entity."""
    target = targets[rows.number(part[0], 0) - 1]
    fold, events, size = Fold(), 0, 0
    for row in part:
        payload, action = rows.bytes(row, 5), rows.text(row, 4)
        if action is None:
            fold = Fold.owning(snapshot(rows, row, 1))
            continue
        fold.apply(rows.number(row, 1), rows.number(row, 2), micros(rows, row, 3), action, payload)
        events += 1
        size += len(payload)
    if events == MANY_EVENTS:
        del found[target]  # there may be more
    else:
        found[target] = Folded(fold.state(), events, size)
