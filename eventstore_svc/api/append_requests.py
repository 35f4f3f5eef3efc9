"""Append requests: JSON in, validated new events out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from eskit import names, times
from eskit.errors import InvalidRequest
from eskit.ids import uuid7
from eskit.settings import Settings
from eskit.web.bodies import decode
from eskit.web.context import is_traceparent
from eskit.web.metadata import require_small
from eventstore_svc.api.repeated_keys import refuse_repeated_keys
from eventstore_svc.store import LAST_VERSION, NEXT, NEXT_OF_EXISTING, NewEvent

# What the description says of limits are the defaults. Schemas only describe: it is told in words what breaks a limit.
_LIMITS = Settings()
_MetadataValue = Annotated[str, Meta(extra_json_schema={"maxLength": _LIMITS.max_metadata_value})]
METADATA_SCHEMA = {
    "maxProperties": _LIMITS.max_metadata_keys,
    "propertyNames": {"minLength": 1, "maxLength": _LIMITS.max_metadata_key},
}


class OriginatorIn(msgspec.Struct, forbid_unknown_fields=True):
    """`version`: the version this event will take."""

    id: Annotated[
        str,
        Meta(
            description=f"1 to {_LIMITS.max_id_bytes} bytes of UTF-8 without control characters, not `.` or `..`.",
            extra_json_schema={"minLength": 1, "maxLength": _LIMITS.max_id_bytes},
        ),
    ]
    version: Annotated[int, Meta(extra_json_schema={"minimum": 1, "maximum": LAST_VERSION})] | None = None


class EventIn(msgspec.Struct, forbid_unknown_fields=True):
    """One event as a client sends it."""

    originator: OriginatorIn
    event_type: Annotated[
        str,
        Meta(
            description="Entity type, a dot, action.",
            extra_json_schema={"pattern": names.EVENT_TYPE_PATTERN, "maxLength": _LIMITS.max_type_bytes},
        ),
    ]
    payload: Annotated[
        Raw,
        Meta(
            description=f"A JSON object, nested {_LIMITS.max_depth} levels at most; kept as it is sent.",
            extra_json_schema={"type": "object"},
        ),
    ]
    metadata: Annotated[dict[str, _MetadataValue], Meta(extra_json_schema=METADATA_SCHEMA)] = {}
    event_id: UUID | None = None
    occurred_on: datetime | None = None
    expected: (
        Literal["any", "none", "exists"]
        | Annotated[int, Meta(extra_json_schema={"minimum": 0, "maximum": LAST_VERSION - 1})]
        | None
    ) = None


class EventsIn(msgspec.Struct, forbid_unknown_fields=True):
    """Several events in one atomic append."""

    events: Annotated[
        list[Annotated[Raw, Meta(extra_json_schema={"$ref": "#/components/schemas/EventIn"})]],
        Meta(extra_json_schema={"minItems": 1, "maxItems": _LIMITS.max_events}),
    ]


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


def parse_append(body: bytes, cause: Cause, settings: Settings) -> list[NewEvent]:
    """The events of `POST /v1/events`; raises MalformedRequest, InvalidRequest naming the field."""
    if decode(body, _shape).events is UNSET:
        sent = decode(body, _event)
        event = _new_event(sent, "", cause, None, settings)
        refuse_repeated_keys(body, [sent], [event.payload], listed=False)
        return [event]
    parts = decode(body, _several).events
    if not 1 <= len(parts) <= settings.max_events:
        message = f"events must have 1 to {settings.max_events} entries, not {len(parts)} (ESKIT_MAX_EVENTS)"
        raise InvalidRequest(message, field="events", limit=settings.max_events)
    several: list[EventIn] = []
    events: list[NewEvent] = []
    for index, part in enumerate(parts):
        at = f"events[{index}]"
        sent = decode(part, _event, at)
        several.append(sent)
        events.append(_new_event(sent, f"{at}.", cause, events[0].event_id if events else None, settings))
    refuse_repeated_keys(body, several, [event.payload for event in events], listed=True)
    _check_ids(events)
    return events


def _check_ids(events: list[NewEvent]) -> None:
    """No id twice; and all have one or none has: by some of them alone a repeat cannot be told from a part."""
    seen: set[UUID] = set()
    for index, event in enumerate(events):
        field = f"events[{index}].event_id"
        if event.event_id in seen:
            raise InvalidRequest(f"{field} is that of an earlier event of this request", field=field)
        if event.id_is_given != events[0].id_is_given:
            raise InvalidRequest(f"{field}: give every event of an append an id of yours, or none", field=field)
        seen.add(event.event_id)


def _new_event(event: EventIn, at: str, cause: Cause, first_id: UUID | None, settings: Settings) -> NewEvent:
    event_id = event.event_id or uuid7()
    kind = names.event_type(event.event_type, f"{at}event_type", settings.max_type_bytes)
    names.require_free(kind.entity_type, f"{at}event_type")
    correlation_id = cause.correlation_id or str(first_id or event_id)
    return NewEvent(
        event_id=event_id,
        id_is_given=event.event_id is not None,
        type=kind,
        originator_id=names.originator_id(event.originator.id, f"{at}originator.id", settings.max_id_bytes),
        wanted=_wanted(event, at),
        payload=_payload(event.payload, at, settings.max_depth),
        metadata=_encode(
            {"correlation_id": correlation_id, **cause.given, **_checked(event.metadata, cause, at, settings)}
        ),
        occurred_on_us=_occurred(event.occurred_on, at),
        at=at,
        version_said_in="expected" if event.originator.version is None else "originator.version",
    )


def _payload(sent: Raw, at: str, max_depth: int) -> bytes:
    """As it was sent, once it is known that every reader can read it."""
    value = decode(sent, _object, f"{at}payload")
    payload = bytes(sent)
    # Each level has two brackets: most payloads are too short, or have too few, to need a closer look.
    suspicious = len(payload) > 2 * max_depth and payload.count(b"{") + payload.count(b"[") > max_depth
    if suspicious and _depth(value) > max_depth:
        message = f"{at}payload is nested deeper than {max_depth} levels (ESKIT_MAX_DEPTH)"
        raise InvalidRequest(message, field=f"{at}payload", limit=max_depth)
    return payload


def _depth(value: Any) -> int:
    """Levels of objects and arrays: 0 for a string, 1 for `{}`."""
    levels, layer = 0, [value]
    while layer := [found for found in layer if isinstance(found, (dict, list))]:
        levels += 1
        layer = [child for parent in layer for child in (parent.values() if isinstance(parent, dict) else parent)]
    return levels


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


def _checked(metadata: dict[str, str], cause: Cause, at: str, settings: Settings) -> dict[str, str]:
    """The event's own, within its limits. What the headers say a gateway may have set: a body must not overrule it."""
    if not metadata:
        return metadata
    require_small(metadata, f"{at}metadata", settings)
    given = cause.given
    for key, value in metadata.items():
        if given.get(key, value) != value:
            field = f"{at}metadata.{key}"
            raise InvalidRequest(f"{field} is not what the request's header says", field=field)
        if key == "traceparent" and not is_traceparent(value):
            field = f"{at}metadata.{key}"
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
