"""The names of the domain and their rules: entity types, event types, originator ids, consumers."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from eskit.errors import InvalidRequest

# What the log takes at most; settings may say less for what is new, and what is there already can still be named.
MAX_ID_BYTES = 200
MAX_TYPE_BYTES = 200

_WORD = r"[A-Za-z_][A-Za-z0-9_]*"
ENTITY_TYPE_PATTERN = rf"^{_WORD}(\.{_WORD})*$"
EVENT_TYPE_PATTERN = rf"^{_WORD}(\.{_WORD})+$"
_TYPE = re.compile(rf"{_WORD}(\.{_WORD})*")
# Entity types of ESKIT's own: they can be read as any other, and written by nobody but ESKIT.
RESERVED = "eskit"
TYPES = f"{RESERVED}.Type"
CONSUMER_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
_CONSUMER = re.compile(CONSUMER_PATTERN)
# Control characters, the two Unicode line ends, halves of surrogate pairs: no log line or URL should meet them.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,62}")


def schema(text: str, field: str = "schema") -> str:
    """Check the name of a PostgreSQL schema; raises InvalidRequest."""
    if not _SCHEMA.fullmatch(text) or text.startswith("pg_"):
        raise InvalidRequest(f"{field} must have 1 to 63 small letters, digits, `_`, and no digit first", field=field)
    return text


class EventType(NamedTuple):
    """`com.acme.User.Created`: entity type `com.acme.User`, action `Created`."""

    entity_type: str
    action: str

    def __str__(self) -> str:
        return f"{self.entity_type}.{self.action}"


@lru_cache(maxsize=10_000)
def event_type(text: str, field: str = "event_type", limit: int = MAX_TYPE_BYTES) -> EventType:
    """Split an event type at its last dot; raises InvalidRequest."""
    kind, dot, action = text.rpartition(".")
    if not dot or not _TYPE.fullmatch(text):
        wanted = "an entity type, a dot and an action, like `User.Created` (letters, digits, _)"
        raise InvalidRequest(f"{field} must be {wanted}", field=field)
    _require_short(text, field, limit)
    return EventType(kind, action)


@lru_cache(maxsize=10_000)
def entity_type(text: str, field: str = "entity_type", limit: int = MAX_TYPE_BYTES) -> str:
    """Check an entity type; raises InvalidRequest."""
    if not _TYPE.fullmatch(text):
        wanted = "words with dots between, like `com.acme.User` (letters, digits, _)"
        raise InvalidRequest(f"{field} must be {wanted}", field=field)
    _require_short(text, field, limit)
    return text


def require_free(kind: str, field: str = "entity_type") -> str:
    """Refuse an entity type that somebody else wants to write and that is reserved; raises InvalidRequest."""
    if kind == RESERVED or kind.startswith(f"{RESERVED}."):
        raise InvalidRequest(
            f"{field}: types that begin with `{RESERVED}.` are ESKIT's own; choose another", field=field
        )
    return kind


def _require_short(text: str, field: str, limit: int) -> None:
    if len(text) > limit:
        message = f"{field} must have {limit} bytes at most (ESKIT_MAX_TYPE_BYTES, never over {MAX_TYPE_BYTES})"
        raise InvalidRequest(message, field=field, limit=limit)


def originator_id(text: str, field: str = "originator.id", limit: int = MAX_ID_BYTES) -> str:
    """Check an originator id: 1 to `limit` bytes of UTF-8, no control characters; raises InvalidRequest."""
    if _UNPRINTABLE.search(text):
        raise InvalidRequest(f"{field} must not contain control characters", field=field)
    if not 1 <= len(text.encode()) <= limit:
        message = f"{field} must have 1 to {limit} bytes (ESKIT_MAX_ID_BYTES, never over {MAX_ID_BYTES})"
        raise InvalidRequest(message, field=field, limit=limit)
    if text in {".", ".."}:
        raise InvalidRequest(f"{field} must not be `.` or `..`: no URL can name it", field=field)
    return text


def consumer(text: str, field: str = "consumer") -> str:
    """Check a consumer's name; raises InvalidRequest."""
    if not _CONSUMER.fullmatch(text):
        raise InvalidRequest(f"{field} must have 1 to 100 letters, digits, `.`, `_`, `-`", field=field)
    return text
