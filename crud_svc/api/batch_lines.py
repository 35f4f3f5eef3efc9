"""The lines of a batch: JSON in, writes ready to be tried out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Raw

from crud_svc.api.batch_shapes import (
    Based,
    CreateLine,
    DeleteLine,
    JsonPatchLine,
    LineIn,
    MergePatchLine,
    PutLine,
    RestoreLine,
)
from crud_svc.api.headers import IDEMPOTENCY_KEY
from crud_svc.api.history import at_version
from crud_svc.documents import patches
from crud_svc.documents.exact_json import MAX_DEPTH, parse_object
from crud_svc.documents.state import RESTORED
from crud_svc.entities import preconditions, writes
from crud_svc.entities.reading import Reader
from crud_svc.entities.target import About, Target, document_limit, require_own_words, too_large
from crud_svc.entities.writes import Given, Write
from eskit import ids, names, times
from eskit.errors import EskitError, InvalidRequest, PreconditionRequired
from eskit.settings import Settings
from eskit.web.bodies import decode
from eskit.web.context import is_traceparent
from eskit.web.etags import IF_MATCH, IF_NONE_MATCH, Tags
from eskit.web.metadata import require_small

_KEY = re.compile(r"[\x20-\x7e]{1,256}")


class Beside(NamedTuple):
    """What came with the request beside its lines."""

    given: Mapping[str, str]  # metadata from its headers
    correlation_id: str | None  # of events that have no other; None: each its own id


_line = msgspec.json.Decoder(LineIn)
_encode = msgspec.json.Encoder().encode


async def parse_line(content: bytes, beside: Beside, settings: Settings, reader: Reader) -> Write:
    """The write that a line asks for; `reader` reads what is to be restored.

    Raises MalformedRequest, InvalidRequest, PreconditionRequired, TooLarge, NotFound, Unavailable.
    """
    line = decode(content, _line)
    # The same once more, to the letter of its numbers, and refusing what readers would take differently.
    around = 1 + (patches.AROUND_VALUES if isinstance(line, JsonPatchLine) else 0)
    exact = parse_object(content, "The line", MAX_DEPTH + around)
    about = _about(line, beside, settings)
    ident = str(about.event_id) if line.id is None else line.id
    kind = names.entity_type(line.type, "type", settings.max_type_bytes - len(f".{RESTORED}"))
    target = Target(names.require_free(kind, "type"), names.originator_id(ident, "id", settings.max_id_bytes))
    match line:
        case CreateLine():
            check = partial(preconditions.require_never_deleted, str(target))
            return writes.create(target, about, _given(line.document, exact, settings), check=check)
        case PutLine():
            return _put(line, target, about, exact, settings)
        case DeleteLine():
            return writes.delete(target, about, _required(line))
        case RestoreLine():
            return await _restore(line, target, about, reader)
        case _:
            return _patch(line, target, about, exact, settings)


def _put(line: PutLine, target: Target, about: About, exact: dict[str, Any], settings: Settings) -> Write:
    given = _given(line.document, exact, settings)
    if line.if_none_match is None:
        return writes.replace(target, about, _required(line), given)
    if line.if_match is not None:
        raise InvalidRequest("if_match and if_none_match exclude each other", field="if_none_match")
    return writes.create(target, about, given, check=preconditions.require_none)


async def _restore(line: RestoreLine, target: Target, about: About, reader: Reader) -> Write:
    wanted, text = _required(line), None
    if line.version is not None:
        state = await at_version(reader, target, line.version)
        if not state.alive:
            raise InvalidRequest(f"{target} has no document at version {line.version}", field="version")
        text = state.body()
    return writes.restore(target, about, wanted, text)


def _patch(
    line: MergePatchLine | JsonPatchLine, target: Target, about: About, exact: dict[str, Any], settings: Settings
) -> Write:
    limit = settings.max_event_bytes
    if (size := len(line.patch)) > limit:
        raise too_large("The patch has", size, limit)
    patch, wanted, largest = exact["patch"], _required(line), document_limit(limit)
    if isinstance(line, JsonPatchLine):
        return writes.patch(target, about, wanted, patches.operations(patch), largest)
    if not isinstance(patch, dict):
        raise InvalidRequest("patch must be a JSON object", field="patch")
    return writes.merge(target, about, wanted, patch, largest)


def _given(sent: Raw, exact: dict[str, Any], settings: Settings) -> Given:
    if not isinstance(exact["document"], dict):
        raise InvalidRequest("document must be a JSON object", field="document")
    text = bytes(sent)
    if len(text) > (limit := document_limit(settings.max_event_bytes)):
        raise too_large("The document has", len(text), limit)
    return Given(text, exact["document"])


def _required(line: Based) -> Tags:
    match line.if_match:
        case None:
            message = (
                f"{type(line).__struct_config__.tag} needs if_match with the version it is based on; `*` means any"
            )
            raise PreconditionRequired(message, field="if_match")
        case "*":
            return Tags(None)
        case list(versions):
            return Tags(frozenset(map(str, versions)))
        case version:
            return Tags(frozenset({str(version)}))


def _about(line: LineIn, beside: Beside, settings: Settings) -> About:
    event_id = _event_id(line.idempotency_key)
    return About(
        event_id=event_id,
        id_is_given=line.idempotency_key is not None,
        metadata=_encode(_metadata(line, event_id, beside, settings)),
        occurred_on_us=_occurred(line.occurred_on),
    )


def _event_id(key: str | None) -> UUID:
    if key is None:
        return ids.uuid7()
    if not _KEY.fullmatch(key):
        raise InvalidRequest("idempotency_key must have 1 to 256 printable ASCII characters", field="idempotency_key")
    return ids.from_key(key)


def _metadata(line: LineIn, event_id: UUID, beside: Beside, settings: Settings) -> dict[str, str]:
    """What the headers say a gateway may have set: a line must not overrule it."""
    require_small(line.metadata, "metadata", settings)
    require_own_words(line.metadata, "metadata")
    own = {"user": line.user, "correlation_id": line.correlation_id, "causation_id": line.causation_id}
    for key, value in own.items():
        if key in line.metadata or (value is not None and len(value) > settings.max_metadata_value):
            limit = settings.max_metadata_value
            message = f"{key} stands beside metadata, and has {limit} characters at most (ESKIT_MAX_METADATA_VALUE)"
            raise InvalidRequest(message, field=key, limit=limit)
    said = line.metadata | {key: value for key, value in own.items() if value is not None}
    for key, value in said.items():
        if beside.given.get(key, value) != value:
            raise InvalidRequest(f"{key} is not what the request's header says", field=key)
    if "traceparent" in said and not is_traceparent(said["traceparent"]):
        raise InvalidRequest("metadata.traceparent does not have the form of W3C Trace Context", field="metadata")
    return {"correlation_id": beside.correlation_id or str(event_id), **beside.given, **said}


def _occurred(moment: datetime | None) -> int | None:
    if moment is None:
        return None
    try:
        micros = times.micros(moment)
        times.rfc3339(micros)  # an offset can lead out of the years that we can say in UTC
    except (TypeError, OverflowError):
        message = "occurred_on must be a time with a zone, like 2026-01-31T12:00:00Z"
        raise InvalidRequest(message, field="occurred_on") from None
    return micros


# What the errors of a single write call a header or a body is a member of a line.
_MEMBERS = {
    IF_MATCH: "if_match",
    IF_NONE_MATCH: "if_none_match",
    IDEMPOTENCY_KEY: "idempotency_key",
    "body": "document",
}


def of_line(error: EskitError, number: int) -> EskitError:
    """The same error, told about a line."""
    field = _MEMBERS.get(error.field, error.field) if error.field is not None else None
    return type(error)(error.detail, field=field, **error.extra | {"line": number})
