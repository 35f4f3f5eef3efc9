"""The names of the domain and their rules: entity types, event types, originator ids, consumers."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from eskit.errors import InvalidRequest

MAX_ID_BYTES = 200
MAX_TYPE_BYTES = 200

_WORD = r"[A-Za-z_][A-Za-z0-9_]*"
ENTITY_TYPE_PATTERN = rf"^{_WORD}(\.{_WORD})*$"
_TYPE = re.compile(rf"{_WORD}(\.{_WORD})*")
_CONSUMER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
# Control characters, the two Unicode line ends, halves of surrogate pairs: no log line or URL should meet them.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class EventType(NamedTuple):
    """`com.acme.User.Created`: entity type `com.acme.User`, action `Created`."""

    entity_type: str
    action: str

    def __str__(self) -> str:
        return f"{self.entity_type}.{self.action}"


@lru_cache(maxsize=10_000)
def event_type(text: str, field: str = "event_type") -> EventType:
    """Split an event type at its last dot; raises InvalidRequest."""
    kind, dot, action = text.rpartition(".")
    if not dot or not _TYPE.fullmatch(text) or len(text) > MAX_TYPE_BYTES:
        wanted = "an entity type, a dot and an action, like `User.Created` (letters, digits, _; 200 bytes at most)"
        raise InvalidRequest(f"{field} must be {wanted}", field=field)
    return EventType(kind, action)


@lru_cache(maxsize=10_000)
def entity_type(text: str, field: str = "entity_type") -> str:
    """Check an entity type; raises InvalidRequest."""
    if not _TYPE.fullmatch(text) or len(text) > MAX_TYPE_BYTES:
        wanted = "words with dots between, like `com.acme.User` (letters, digits, _; 200 bytes at most)"
        raise InvalidRequest(f"{field} must be {wanted}", field=field)
    return text


def originator_id(text: str, field: str = "originator.id") -> str:
    """Check an originator id: 1 to 200 bytes of UTF-8, no control characters; raises InvalidRequest."""
    if _UNPRINTABLE.search(text):
        raise InvalidRequest(f"{field} must not contain control characters", field=field)
    if not 1 <= len(text.encode()) <= MAX_ID_BYTES:
        raise InvalidRequest(f"{field} must have 1 to {MAX_ID_BYTES} bytes", field=field)
    if text in {".", ".."}:
        raise InvalidRequest(f"{field} must not be `.` or `..`: no URL can name it", field=field)
    return text


def consumer(text: str, field: str = "consumer") -> str:
    """Check a consumer's name; raises InvalidRequest."""
    if not _CONSUMER.fullmatch(text):
        raise InvalidRequest(f"{field} must have 1 to 100 letters, digits, `.`, `_`, `-`", field=field)
    return text
