"""A batch of appends as the parameters of one function call, and the call's answer as one outcome for each append."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import NamedTuple

from eskit.errors import VersionConflict
from eventstore_svc.store import arrays
from eventstore_svc.store.records import NEXT_OF_EXISTING, Appended, NewEvent, Recorded


class IdsKnown(NamedTuple):
    """An outcome: an event id of this append is in the log; whether it is the same append is for the reader to say."""


Outcome = Appended | IdsKnown | VersionConflict


class Answer(NamedTuple):
    """What `append_batch` answered: three arrays in binary."""

    failed: bytes | None
    positions: bytes | None
    versions: bytes | None


PARAMETERS = 12
"""How many arguments `append_batch` takes."""


def parameters(appends: Sequence[Sequence[NewEvent]], *, may_be_stored: bool = False) -> list[bytes]:
    """The columns of all events, and the distinct streams they go to, in the order of `append_batch`.

    `may_be_stored`: this batch was sent before and nobody knows its outcome, so any of its ids may be in the log.
    """
    events = [event for append in appends for event in append]
    streams: dict[tuple[str, str], int] = {}
    stream_of = [streams.setdefault((e.type.entity_type, e.originator_id), len(streams) + 1) for e in events]
    return [
        arrays.integers([n for n, append in enumerate(appends, 1) for _ in append]),
        arrays.integers([size for append in appends for size in (len(append), *repeat(0, len(append) - 1))]),
        arrays.integers(stream_of),
        arrays.integers([e.wanted for e in events]),
        arrays.uuids([e.event_id for e in events]),
        arrays.texts([e.type.action.encode() for e in events]),
        arrays.texts([e.payload for e in events]),
        arrays.texts([e.metadata for e in events]),
        arrays.timestamps([e.occurred_on_us for e in events]),
        arrays.texts([kind.encode() for kind, _ in streams]),
        arrays.texts([originator.encode() for _, originator in streams]),
        arrays.uuids([e.event_id for e in events if e.id_is_given or may_be_stored]),
    ]


def outcomes(appends: Sequence[Sequence[NewEvent]], answer: Answer) -> list[Outcome]:
    """What became of each append, in order."""
    faults = arrays.numbers(answer.failed)
    places = list(zip(arrays.numbers(answer.positions), arrays.numbers(answer.versions), strict=True))
    results: list[Outcome] = []
    start = 0
    for append, fault in zip(appends, faults, strict=True):
        end = start + len(append)
        if fault == 0:
            recorded = [Recorded(e.event_id, e.originator_id, version, position)
                        for e, (position, version) in zip(append, places[start:end], strict=True)]  # fmt: skip
            results.append(Appended(recorded, new=True))
        elif fault < 0:
            results.append(IdsKnown())
        else:
            results.append(conflict(append[fault - 1 - start], places[fault - 1][1]))
        start = end
    return results


def conflict(event: NewEvent, actual: int) -> VersionConflict:
    """The error for an event that the version of its stream refuses."""
    stream = f"{event.type.entity_type} {event.originator_id!r}"
    field = event.field(event.version_said_in)
    if event.wanted == NEXT_OF_EXISTING:
        return VersionConflict(f"Stream {stream} does not exist", field=field, expected="exists", actual=actual)
    expected = event.wanted - 1
    message = f"Stream {stream} is at version {actual}, the append expected {expected}; read it and try again"
    return VersionConflict(message, field=field, expected=expected, actual=actual)
