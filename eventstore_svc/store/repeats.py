"""Is an append whose event ids are in the log the same append again? Then its first answer is its answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from eskit.errors import EventIdReused
from eskit.events import Stored
from eventstore_svc.store.records import NEXT, NEXT_OF_EXISTING, Appended, NewEvent, Recorded

# These tell how a request came, not what it says: a retry may carry others.
TRANSPORT_METADATA = frozenset({"correlation_id", "causation_id", "traceparent", "tracestate"})


class Found(NamedTuple):
    """An event of the log, and how many were appended with it."""

    event: Stored
    append_size: int | None  # of an append's first event; 0 for its others; None: it was not kept then


def first_answer(asked: Sequence[NewEvent], found: Sequence[Found]) -> Appended:
    """The answer to an append whose ids are in the log; raises EventIdReused unless it is the same append again."""
    by_id = {UUID(row.event.event_id): row.event for row in found}
    sizes = {row.event.position: row.append_size for row in found}
    for event in asked:
        field = event.field("event_id")
        row = by_id.get(event.event_id)
        if row is None:
            message = f"Other events of this request are in the log, {field} is not; send the first request again"
            raise EventIdReused(message, field=field, event_id=str(event.event_id))
        if not _same(event, row):
            message = f"The event id {event.event_id} is in the log at position {row.position}, with other content"
            raise EventIdReused(message, field=field, event_id=row.event_id, position=row.position)
    rows = [by_id[event.event_id] for event in asked]
    if [row.position for row in rows] != list(range(rows[0].position, rows[0].position + len(rows))):
        message = "The events of this request are in the log, but were not stored together, or in another order"
        raise EventIdReused(message, field=asked[0].field("event_id"), event_id=rows[0].event_id)
    if sizes[rows[0].position] not in {None, len(rows)}:
        message = "The events of this request are a part of an append that is in the log; send all of it again"
        raise EventIdReused(message, field=asked[0].field("event_id"), event_id=rows[0].event_id)
    return Appended([Recorded(UUID(r.event_id), r.originator_id, r.version, r.position) for r in rows], new=False)


def _same(event: NewEvent, row: Stored) -> bool:
    return (
        (event.type.entity_type, event.type.action, event.originator_id)
        == (row.entity_type, row.action, row.originator_id)
        and (event.wanted in {NEXT, row.version} or (event.wanted == NEXT_OF_EXISTING and row.version > 1))
        and event.occurred_on_us in {None, row.occurred_on_us}
        and _same_json(event.payload.decode(), row.payload)
        and _content(event.metadata) == _content(row.metadata)
    )


def _same_json(one: str, other: str) -> bool:
    """Alike but for spaces and the order of members: `1` is not `1.0`, and a member that stands twice counts twice."""
    try:
        return one == other or _parsed(one) == _parsed(other)
    except RecursionError:
        return False


def _parsed(text: str) -> Any:
    def members(pairs: list[tuple[str, Any]]) -> tuple[str, list[tuple[str, Any]]]:
        return "object", sorted(pairs, key=lambda pair: pair[0])

    return json.loads(
        text,
        parse_int=lambda literal: ("number", literal),
        parse_float=lambda literal: ("number", literal),
        object_pairs_hook=members,
    )


def _content(metadata: bytes | str) -> dict[str, str]:
    return {k: v for k, v in msgspec.json.decode(metadata).items() if k not in TRANSPORT_METADATA}
