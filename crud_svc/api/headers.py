"""What comes with a request beside its document: which entity, and what is said about the event, in headers."""

from __future__ import annotations

import re
from datetime import datetime

import msgspec
from aiohttp import web

from crud_svc.documents.exact_json import parse_object
from crud_svc.documents.state import RESTORED
from crud_svc.entities.target import About, Target, document_limit, require_own_words, too_large
from eskit import ids, names, times
from eskit.errors import EskitError, InvalidRequest
from eskit.web import bodies
from eskit.web.context import CAUSES, correlation_id, given_in_headers
from eskit.web.metadata import require_small

IDEMPOTENCY_KEY, METADATA, OCCURRED_ON = "Idempotency-Key", "Eskit-Metadata", "Eskit-Occurred-On"

_KEY = re.compile(r"[\x20-\x7e]{1,256}")
_OWN_HEADER = {cause.key: cause.header for cause in CAUSES} | {"traceparent": "traceparent"}
_encode = msgspec.json.Encoder().encode


def target(request: web.Request) -> Target:
    """The entity in the path, to be read."""
    return Target(
        names.entity_type(request.match_info["entity_type"], "entity_type"),
        names.originator_id(request.match_info["id"], "id"),
    )


def written_type(request: web.Request) -> str:
    """The type in the path, of an entity to be written: with its longest action it must still be an event type."""
    limit = request.app[bodies.SETTINGS].max_type_bytes - len(f".{RESTORED}")
    return names.require_free(names.entity_type(request.match_info["entity_type"], "entity_type", limit))


def written(request: web.Request) -> Target:
    """The entity in the path, to be written."""
    limit = request.app[bodies.SETTINGS].max_id_bytes
    return Target(written_type(request), names.originator_id(request.match_info["id"], "id", limit))


async def document(request: web.Request, content_type: str) -> bytes:
    """The body, a document; raises TooLarge before anything is done with it."""
    limit = document_limit(request.app[bodies.SETTINGS].max_event_bytes)
    return _at_most(limit, await bodies.read(request, content_type), "document")


async def patch(request: web.Request, content_type: str) -> bytes:
    """The body, a patch: as large as an event, so that one may bring a whole document."""
    limit = request.app[bodies.SETTINGS].max_event_bytes
    return _at_most(limit, await bodies.read(request, content_type), "patch")


def _at_most(limit: int, body: bytes, what: str) -> bytes:
    if len(body) > limit:
        raise too_large(f"The {what} has", len(body), limit)
    return body


def wants_document(request: web.Request) -> bool:
    """Whether the client asked for the document as the answer; of a preference given twice the first counts."""
    for preference in ",".join(request.headers.getall("Prefer", [])).lower().split(","):
        name, _, value = preference.partition(";")[0].partition("=")
        if name.strip() == "return":
            return value.strip().strip('"') == "representation"
    return False


def about(request: web.Request) -> About:
    """What the headers say about the event; raises InvalidRequest that names the header."""
    key = _single(request, IDEMPOTENCY_KEY)
    if key is not None and not _KEY.fullmatch(key):
        raise InvalidRequest(f"{IDEMPOTENCY_KEY} must have 1 to 256 printable ASCII characters", field=IDEMPOTENCY_KEY)
    for cause in CAUSES:
        _single(request, cause.header)
    event_id = ids.uuid7() if key is None else ids.from_key(key)
    default = {"correlation_id": correlation_id(request, event_id)}
    return About(
        event_id=event_id,
        id_is_given=key is not None,
        metadata=_encode(default | _more_metadata(request) | given_in_headers(request)),
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
        found = msgspec.convert(parse_object(text.encode("ascii")), dict[str, str])
    except (EskitError, msgspec.ValidationError, UnicodeError):
        message = f"{METADATA} must be a JSON object of strings, each key once, in ASCII (escapes for other characters)"
        raise InvalidRequest(message, field=METADATA) from None
    require_small(found, METADATA, request.app[bodies.SETTINGS], in_header=True)
    for key in found:
        # Not both: what a gateway says in a header must not be overruled by what a client says.
        if header := _OWN_HEADER.get(key):
            raise InvalidRequest(f"{METADATA}: {key} has a header of its own, {header}", field=METADATA)
    require_own_words(found, METADATA)
    return found


def _occurred(request: web.Request) -> int | None:
    text = _single(request, OCCURRED_ON)
    if text is None:
        return None
    try:
        moment = msgspec.convert(text, datetime)
        micros = times.micros(moment)
        times.rfc3339(micros)  # an offset can lead out of the years that we can say in UTC
    except (msgspec.ValidationError, TypeError, OverflowError, UnicodeError):
        message = f"{OCCURRED_ON} must be a time with a zone, like 2026-01-31T12:00:00Z"
        raise InvalidRequest(message, field=OCCURRED_ON) from None
    return micros
