"""What comes with a request beside its document: which entity, and what is said about the event, in headers."""

from __future__ import annotations

import re
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec
from aiohttp import web

from eskit import ids, names, times
from eskit.errors import InvalidRequest, TooLarge
from eskit.web import bodies
from eskit.web.context import CAUSES, metadata_from_headers

IDEMPOTENCY_KEY, METADATA, OCCURRED_ON = "Idempotency-Key", "Eskit-Metadata", "Eskit-Occurred-On"

MAX_METADATA_KEYS = 64
MAX_METADATA_KEY = 100
MAX_METADATA_VALUE = 4096

_KEY = re.compile(r"[\x20-\x7e]{1,256}")
_OWN_HEADER = {cause.key: cause.header for cause in CAUSES}
_metadata = msgspec.json.Decoder(dict[str, str])
_encode = msgspec.json.Encoder().encode


class Target(NamedTuple):
    """Which entity."""

    entity_type: str
    id: str

    def __str__(self) -> str:
        return f"{self.entity_type} {self.id!r}"


class About(NamedTuple):
    """What an event carries beside its payload."""

    event_id: UUID
    id_is_given: bool
    metadata: bytes
    occurred_on_us: int | None


def entity_type(request: web.Request) -> str:
    """The type in the path."""
    return names.entity_type(request.match_info["type"], "type")


def target(request: web.Request) -> Target:
    """The entity in the path."""
    return Target(entity_type(request), names.originator_id(request.match_info["id"], "id"))


async def document(request: web.Request, *content_types: str) -> bytes:
    """The body; raises TooLarge for one that no event could hold, before anything is done with it."""
    body = await bodies.read(request, *content_types)
    limit = request.app[bodies.SETTINGS].max_event_bytes
    if len(body) > limit:
        message = f"The body has {len(body)} bytes, {limit} are allowed (ESKIT_MAX_EVENT_BYTES)"
        raise TooLarge(message, limit_bytes=limit)
    return body


def content_type(request: web.Request) -> str:
    """The media type of the body, without parameters."""
    return request.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def wants_document(request: web.Request) -> bool:
    """Whether the client asked for the document as the answer (RFC 7240)."""
    preferences = ",".join(request.headers.getall("Prefer", [])).lower().replace(" ", "").replace('"', "")
    return "return=representation" in re.split("[,;]", preferences)


def about(request: web.Request) -> About:
    """What the headers say about the event; raises InvalidRequest that names the header."""
    key = _single(request, IDEMPOTENCY_KEY)
    if key is not None and not _KEY.fullmatch(key):
        raise InvalidRequest(f"{IDEMPOTENCY_KEY} must have 1 to 256 printable ASCII characters", field=IDEMPOTENCY_KEY)
    for cause in CAUSES:
        _single(request, cause.header)
    return About(
        event_id=ids.uuid7() if key is None else ids.from_key(key),
        id_is_given=key is not None,
        metadata=_encode(_more_metadata(request) | metadata_from_headers(request)),
        occurred_on_us=_occurred(request),
    )


def _single(request: web.Request, header: str) -> str | None:
    values = request.headers.getall(header, [])
    if len(values) > 1:
        raise InvalidRequest(f"{header} is given twice", field=header)
    return values[0] if values else None


def _more_metadata(request: web.Request) -> dict[str, str]:
    text = _single(request, METADATA)
    if text is None:
        return {}
    try:
        found = _metadata.decode(text) if text.isascii() else None
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        found = None
    if found is None:
        message = f"{METADATA} must be a JSON object of strings in ASCII (escapes for other characters)"
        raise InvalidRequest(message, field=METADATA)
    if len(found) > MAX_METADATA_KEYS:
        raise InvalidRequest(f"{METADATA} has more than {MAX_METADATA_KEYS} keys", field=METADATA)
    for key, value in found.items():
        # Not both: what a gateway says in a header must not be overruled by what a client says.
        if header := _OWN_HEADER.get(key):
            raise InvalidRequest(f"{METADATA}: {key} has a header of its own, {header}", field=METADATA)
        if not 1 <= len(key) <= MAX_METADATA_KEY or len(value) > MAX_METADATA_VALUE:
            message = f"{METADATA}: keys have 1 to {MAX_METADATA_KEY} characters, values at most {MAX_METADATA_VALUE}"
            raise InvalidRequest(message, field=METADATA)
    return found


def _occurred(request: web.Request) -> int | None:
    text = _single(request, OCCURRED_ON)
    if text is None:
        return None
    try:
        moment = msgspec.convert(text, datetime)
        micros = times.micros(moment)
        times.rfc3339(micros)  # an offset can lead out of the years that we can say in UTC
    except (msgspec.ValidationError, TypeError, OverflowError):
        message = f"{OCCURRED_ON} must be a time with a zone, like 2026-01-31T12:00:00Z"
        raise InvalidRequest(message, field=OCCURRED_ON) from None
    return micros
