"""Ids of events and entities: UUID version 7 (RFC 9562), which sort by the time they were made."""

from __future__ import annotations

import os
import time
from uuid import NAMESPACE_URL, UUID, uuid5

_KEYS = uuid5(NAMESPACE_URL, "https://eskit.dev/idempotency-key")


def uuid7() -> UUID:
    """48 bits of milliseconds, then random bits (74 of them)."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10))
    return UUID(int=value & ~(0xF << 76) & ~(0b11 << 62) | 0x7 << 76 | 0b10 << 62)


def from_key(key: str) -> UUID:
    """The event id of an idempotency key: a UUID as it is, any other text by UUIDv5."""
    try:
        return UUID(key)
    except ValueError:
        return uuid5(_KEYS, key)
