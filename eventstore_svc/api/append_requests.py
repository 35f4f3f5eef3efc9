"""Append requests: JSON in, validated new events out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal, NamedTuple
from uuid import UUID

import msgspec
from msgspec import UNSET, Raw, UnsetType

from eskit import names, times
from eskit.errors import InvalidRequest
from eskit.ids import uuid7
from eskit.web.bodies import decode
from eskit.web.context import is_traceparent
from eventstore_svc.store import LAST_VERSION, NEXT, NEXT_OF_EXISTING, NewEvent

MAX_METADATA_KEYS = 64
MAX_METADATA_KEY = 100
MAX_METADATA_VALUE = 4096


class OriginatorIn(msgspec.Struct, forbid_unknown_fields=True):
    """`version`: the version this event will take."""

    id: str
    version: int | None = None


class EventIn(msgspec.Struct, forbid_unknown_fields=True):
    """One event as a client sends it."""

    originator: OriginatorIn
    event_type: str
    payload: Raw
    metadata: dict[str, str] = {}
    event_id: UUID | None = None
    occurred_on: datetime | None = None
    expected: Literal["any", "none", "exists"] | int | None = None


class EventsIn(msgspec.Struct, forbid_unknown_fields=True):
    """Several events in one atomic append."""

    events: list[Raw]


class Cause(NamedTuple):
    """What came with the request beside its body."""

    given: dict[str, str]  # metadata from its headers
    correlation_id: str | None  # of events that have no other; None: the id of the request's first event


class _Shape(msgspec.Struct):
    events: Raw | UnsetType = UNSET


_shape = msgspec.json.Decoder(_Shape)
_several = msgspec.json.Decoder(EventsIn)
_event = msgspec.json.Decoder(EventIn)
_object = msgspec.json.Decoder(dict)
_encode = msgspec.json.Encoder().encode


def parse_append(body: bytes, cause: Cause, max_events: int) -> list[NewEvent]:
    """The events of `POST /v1/events`; raises MalformedRequest, InvalidRequest naming the field."""
    if decode(body, _shape).events is UNSET:
        return [_new_event(decode(body, _event), "", cause, None)]
    parts = decode(body, _several).events
    if not 1 <= len(parts) <= max_events:
        raise InvalidRequest(f"events must have 1 to {max_events} entries, not {len(parts)}", field="events")
    events: list[NewEvent] = []
    for index, part in enumerate(parts):
        at = f"events[{index}]"
        events.append(_new_event(decode(part, _event, at), f"{at}.", cause, events[0].event_id if events else None))
    _refuse_twice(events)
    return events


def _refuse_twice(events: list[NewEvent]) -> None:
    seen: set[UUID] = set()
    for index, event in enumerate(events):
        if event.event_id in seen:
            message = f"events[{index}].event_id is that of an earlier event of this request"
            raise InvalidRequest(message, field=f"events[{index}].event_id")
        seen.add(event.event_id)


def _new_event(event: EventIn, at: str, cause: Cause, first_id: UUID | None) -> NewEvent:
    decode(event.payload, _object, f"{at}payload")
    event_id = event.event_id or uuid7()
    correlation_id = cause.correlation_id or str(first_id or event_id)
    return NewEvent(
        event_id=event_id,
        id_is_given=event.event_id is not None,
        type=names.event_type(event.event_type, f"{at}event_type"),
        originator_id=names.originator_id(event.originator.id, f"{at}originator.id"),
        wanted=_wanted(event, at),
        payload=bytes(event.payload),
        metadata=_encode({"correlation_id": correlation_id, **cause.given, **_checked(event.metadata, cause, at)}),
        occurred_on_us=_occurred(event.occurred_on, at),
    )


def _wanted(event: EventIn, at: str) -> int:
    """The version that must be taken, from `originator.version` and `expected`, which must agree."""
    version, expected = event.originator.version, event.expected
    if version is not None and not 1 <= version <= LAST_VERSION:
        raise InvalidRequest(f"{at}originator.version must be 1 or more", field=f"{at}originator.version")
    if isinstance(expected, int) and not 0 <= expected < LAST_VERSION:
        raise InvalidRequest(f"{at}expected must be a current version, 0 for none", field=f"{at}expected")
    by_word = {None: NEXT, "any": NEXT, "none": 1, "exists": NEXT_OF_EXISTING}
    wanted = expected + 1 if isinstance(expected, int) else by_word[expected]
    if version is None:
        return wanted
    if wanted not in {NEXT, version} and not (wanted == NEXT_OF_EXISTING and version > 1):
        message = f"{at}expected does not fit originator.version {version}: give one of them"
        raise InvalidRequest(message, field=f"{at}expected")
    return version


def _checked(metadata: dict[str, str], cause: Cause, at: str) -> dict[str, str]:
    """The event's own, within its limits. What the headers say a gateway may have set: a body must not overrule it."""
    if len(metadata) > MAX_METADATA_KEYS:
        raise InvalidRequest(f"{at}metadata has more than {MAX_METADATA_KEYS} keys", field=f"{at}metadata")
    for key, value in metadata.items():
        field = f"{at}metadata.{key[:MAX_METADATA_KEY]}"
        if not 1 <= len(key) <= MAX_METADATA_KEY or len(value) > MAX_METADATA_VALUE:
            limits = f"keys have 1 to {MAX_METADATA_KEY} characters, values at most {MAX_METADATA_VALUE}"
            raise InvalidRequest(f"{at}metadata: {limits}", field=field)
        if cause.given.get(key, value) != value:
            raise InvalidRequest(f"{field} is not what the request's header says", field=field)
        if key == "traceparent" and not is_traceparent(value):
            raise InvalidRequest(f"{field} does not have the form of W3C Trace Context", field=field)
    return metadata


def _occurred(moment: datetime | None, at: str) -> int | None:
    if moment is None:
        return None
    if moment.tzinfo is None:
        message = f"{at}occurred_on needs a time zone, like 2026-01-31T12:00:00Z"
        raise InvalidRequest(message, field=f"{at}occurred_on")
    try:
        return times.micros(moment.astimezone(UTC))
    except OverflowError:
        message = f"{at}occurred_on must lie within the years 1 to 9999, in UTC"
        raise InvalidRequest(message, field=f"{at}occurred_on") from None
