"""The lines of a batch as a client sends them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw

from crud_svc.api.resources import Version
from eskit import names
from eskit.settings import Settings

# What the description says of limits are the defaults.
_LIMITS = Settings()

Match = Version | Annotated[list[Version], Meta(min_length=1, max_length=100)] | Literal["*"]
Document = Annotated[Raw, Meta(description="A JSON object; numbers keep their spelling.",
                               extra_json_schema={"type": "object"})]  # fmt: skip
IfMatch = Annotated[
    Match | None, Meta(description="The version that the write is based on, one of several, or `*`: any.")
]
Id = Annotated[str, Meta(extra_json_schema={"minLength": 1, "maxLength": _LIMITS.max_id_bytes})]


class _Line(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, tag_field="op"):
    """What every line may say about its event; the headers of the request say it for all."""

    type: Annotated[str, Meta(description="Entity type.", extra_json_schema={"pattern": names.ENTITY_TYPE_PATTERN})]
    idempotency_key: Annotated[
        str | None, Meta(description="Becomes the event's id: 1 to 256 printable ASCII characters.")
    ] = None
    user: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    metadata: dict[str, str] = {}
    occurred_on: datetime | None = None


class CreateLine(_Line, kw_only=True, tag="create"):
    """A new entity; without an `id` one is made up, which is that of the event."""

    id: Id | None = None
    document: Document


class PutLine(_Line, kw_only=True, tag="put"):
    """A whole document: in place of the present one (`if_match`), or a new one (`if_none_match`)."""

    id: Id
    if_match: IfMatch = None
    if_none_match: Literal["*"] | None = None
    document: Document


class MergePatchLine(_Line, kw_only=True, tag="merge_patch"):
    """A JSON Merge Patch (RFC 7396)."""

    id: Id
    if_match: IfMatch = None
    patch: Annotated[Raw, Meta(extra_json_schema={"type": "object"})]


class JsonPatchLine(_Line, kw_only=True, tag="json_patch"):
    """A JSON Patch (RFC 6902)."""

    id: Id
    if_match: IfMatch = None
    patch: Annotated[Raw, Meta(extra_json_schema={"type": "array", "items": {"type": "object"}})]


class DeleteLine(_Line, kw_only=True, tag="delete"):
    """The end of an entity."""

    id: Id
    if_match: IfMatch = None


class RestoreLine(_Line, kw_only=True, tag="restore"):
    """Back to the document of an earlier version, one that was there when the line came; or undo a deletion."""

    id: Id
    if_match: IfMatch = None
    version: Annotated[Version | None, Meta(description="Whose document; without it, a deleted entity as it was.")] = (
        None
    )


Based = PutLine | MergePatchLine | JsonPatchLine | DeleteLine | RestoreLine
LineIn = CreateLine | Based
KINDS = (CreateLine, PutLine, MergePatchLine, JsonPatchLine, DeleteLine, RestoreLine)
