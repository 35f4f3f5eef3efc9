"""What a write is about: which entity, and what its event carries beside the payload."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from uuid import UUID

from eskit.errors import InvalidRequest, TooLarge

# More than an event has beside the document: metadata from headers of 8 KB each, the id, the names, the patch's words.
BESIDE_DOCUMENT_BYTES = 16 * 1024

# The metadata key with the version of the schema that a document was held against.
SCHEMA_VERSION = "schema_version"


class Target(NamedTuple):
    """Which entity."""

    entity_type: str
    id: str

    def __str__(self) -> str:
        return f"{self.entity_type} {self.id!r}"


class About(NamedTuple):
    """What an event carries beside its payload. Metadata: a JSON object of strings."""

    event_id: UUID
    id_is_given: bool
    metadata: bytes
    occurred_on_us: int | None

    def validated_by(self, version: int | None) -> bytes:
        """The metadata, with the version of the schema that the document was held against; None: against none."""
        if version is None:
            return self.metadata
        more = b"" if self.metadata == b"{}" else b","
        return b'{"%b":"%d"%b%b' % (SCHEMA_VERSION.encode(), version, more, self.metadata[1:])


def document_limit(max_event_bytes: int) -> int:
    """The size of the largest document: any that may be created may also replace another, whatever its headers say."""
    return max_event_bytes - min(BESIDE_DOCUMENT_BYTES, max_event_bytes // 2)


def too_large(has: str, size: int, limit: int) -> TooLarge:
    """The error for a document or a patch over its limit."""
    message = f"{has} {size} bytes, {limit} are allowed (from ESKIT_MAX_EVENT_BYTES)"
    return TooLarge(message, field="body", limit=limit)


def require_own_words(metadata: Mapping[str, str], field: str) -> None:
    """Refuse metadata of a client that says what is for this service to say; raises InvalidRequest."""
    if SCHEMA_VERSION in metadata:
        raise InvalidRequest(f"{field}: {SCHEMA_VERSION} is for this service to say", field=field)
