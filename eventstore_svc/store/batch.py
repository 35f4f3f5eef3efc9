"""A batch of appends as the parameters of one function call, and the call's answer as one outcome for each append."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from eskit.errors import VersionConflict
from eventstore_svc.store.arrays import Int4Array, TextArray, TimestampArray, UuidArray
from eventstore_svc.store.records import NEXT_OF_EXISTING, Appended, NewEvent, Recorded


class IdsKnown(NamedTuple):
    """An outcome: an event id of this append is in the log; whether it is the same append is for the reader to say."""


Outcome = Appended | IdsKnown | VersionConflict


def parameters(appends: Sequence[Sequence[NewEvent]], *, may_be_stored: bool = False) -> dict[str, Any]:
    """The columns of all events, and the distinct streams they go to.

    `may_be_stored`: this batch was sent before and nobody knows its outcome, so any of its ids may be in the log.
    """
    events = [event for append in appends for event in append]
    streams: dict[tuple[str, str], int] = {}
    stream_of = [streams.setdefault((e.type.entity_type, e.originator_id), len(streams) + 1) for e in events]
    return {
        "append_of": Int4Array.of([n for n, append in enumerate(appends, 1) for _ in append]),
        "stream_of": Int4Array.of(stream_of),
        "wanted": Int4Array.of([e.wanted for e in events]),
        "event_ids": UuidArray.of([e.event_id for e in events]),
        "actions": TextArray.of([e.type.action.encode() for e in events]),
        "payloads": TextArray.of([e.payload for e in events]),
        "metadatas": TextArray.of([e.metadata for e in events]),
        "occurred": TimestampArray.of([e.occurred_on_us for e in events]),
        "stream_types": TextArray.of([kind.encode() for kind, _ in streams]),
        "stream_ids": TextArray.of([originator.encode() for _, originator in streams]),
        "known_ids": UuidArray.of([e.event_id for e in events if e.id_is_given or may_be_stored]),
    }


def outcomes(
    appends: Sequence[Sequence[NewEvent]], failed: list[int], positions: list[int | None], versions: list[int | None]
) -> list[Outcome]:
    """What became of each append, in order."""
    results: list[Outcome] = []
    start = 0
    for append, fault in zip(appends, failed, strict=True):
        end = start + len(append)
        if fault == 0:
            places = zip(append, versions[start:end], positions[start:end], strict=True)
            recorded = [Recorded(e.event_id, e.originator_id, v or 0, p or 0) for e, v, p in places]
            results.append(Appended(recorded, new=True))
        elif fault < 0:
            results.append(IdsKnown())
        else:
            at_fault = fault - 1 - start
            results.append(_conflict(append[at_fault], at_fault, versions[fault - 1] or 0))
        start = end
    return results


def _conflict(event: NewEvent, index: int, actual: int) -> VersionConflict:
    stream = f"{event.type.entity_type} {event.originator_id!r}"
    if event.wanted == NEXT_OF_EXISTING:
        return VersionConflict(
            f"Stream {stream} does not exist", field=f"events[{index}].expected", expected="exists", actual=actual
        )
    expected = event.wanted - 1
    message = f"Stream {stream} is at version {actual}, the append expected {expected}; read it and try again"
    return VersionConflict(message, field=f"events[{index}].originator.version", expected=expected, actual=actual)
