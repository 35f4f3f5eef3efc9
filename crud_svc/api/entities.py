"""The calls of `/v1/entities/{entity_type}` that write, as they are described."""

from __future__ import annotations

from typing import Any

from crud_svc.api import writing
from crud_svc.api.headers import IDEMPOTENCY_KEY, METADATA, OCCURRED_ON
from crud_svc.api.resources import ENTITY_PATH, TYPE_PATH
from crud_svc.api.writing import JSON_PATCH, MERGE_PATCH
from eskit.entities import Written
from eskit.errors import (
    AlreadyExists,
    Deleted,
    EventIdReused,
    NotFound,
    OutcomeUnknown,
    Overloaded,
    PatchFailed,
    PreconditionFailed,
    PreconditionRequired,
    SchemaViolated,
    VersionConflict,
)
from eskit.web.context import CAUSES
from eskit.web.etags import IF_MATCH, IF_NONE_MATCH
from eskit.web.operations import JSON, Content, Operation

ABOUT = {
    IDEMPOTENCY_KEY: "Becomes the event's id, so that a write sent again is stored once.",
    **{cause.header: f"`{cause.key}` of the event's metadata." for cause in CAUSES},
    METADATA: "More metadata: a JSON object of strings, in ASCII.",
    OCCURRED_ON: "When it happened, RFC 3339; by default when it is stored.",
    "Prefer": "`return=representation`: answer the document.",
}
BASED_ON = {IF_MATCH: 'The versions that the write may be based on: `"3"`, `"3", "4"`, or `*` for any.'}
SENT = {"ETag": "The version.", "Eskit-Position": "Position of the entity's last event in the log."}
PLACED = SENT | {"Location": "The entity's path."}
DOCUMENT = Content("The document: a JSON object.", {JSON: dict[str, Any]}, example={"name": "Ann"})

_STORED = (EventIdReused, VersionConflict, OutcomeUnknown, Overloaded)
_WRITTEN = (*_STORED, SchemaViolated)
_BASED = (NotFound, Deleted, PreconditionFailed, PreconditionRequired)
_CHANGED = (*_WRITTEN, *_BASED)
_ANSWER = {JSON: (Written, dict[str, Any])}
_EXAMPLE = {"id": "ann", "version": 2, "position": 17}

_created = Content("Created.", _ANSWER, PLACED, {"id": "ann", "version": 1, "position": 16})
_changed = Content("Changed, or as it was.", _ANSWER, SENT, _EXAMPLE)

OPERATIONS = (
    Operation(
        method="POST",
        path=TYPE_PATH,
        handler=writing.create_entity,
        headers=ABOUT,
        body=DOCUMENT,
        answers={201: _created},
        errors=(*_WRITTEN, AlreadyExists),
    ),
    Operation(
        method="POST",
        path=ENTITY_PATH,
        handler=writing.create_entity_with_id,
        headers=ABOUT,
        body=DOCUMENT,
        answers={201: _created},
        errors=(*_WRITTEN, AlreadyExists, Deleted),
    ),
    Operation(
        method="PUT",
        path=ENTITY_PATH,
        handler=writing.put_entity,
        headers=BASED_ON | {IF_NONE_MATCH: "`*`: create."} | ABOUT,
        body=DOCUMENT,
        answers={200: _changed, 201: _created},
        errors=_CHANGED,
    ),
    Operation(
        method="PATCH",
        path=ENTITY_PATH,
        handler=writing.patch_entity,
        headers=BASED_ON | ABOUT,
        body=Content(
            "The patch.", {MERGE_PATCH: dict[str, Any], JSON_PATCH: list[dict[str, Any]]}, example={"city": "Bern"}
        ),
        answers={200: _changed},
        errors=(*_CHANGED, PatchFailed),
    ),
    Operation(
        method="DELETE",
        path=ENTITY_PATH,
        handler=writing.delete_entity,
        headers=BASED_ON | {name: text for name, text in ABOUT.items() if name != "Prefer"},
        answers={204: Content("Deleted.", headers={"Eskit-Position": SENT["Eskit-Position"]})},
        errors=(*_STORED, *_BASED),
    ),
    Operation(
        method="POST",
        path=f"{ENTITY_PATH}/restore",
        handler=writing.restore_entity,
        query=writing.RestoreQuery,
        headers=BASED_ON | ABOUT,
        answers={200: _changed},
        errors=_CHANGED,
    ),
)
