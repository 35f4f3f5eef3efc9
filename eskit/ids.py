"""Ids of events and entities: UUID version 7 (RFC 9562), which sort by the time they were made."""

from __future__ import annotations

import os
import random
import time
from uuid import NAMESPACE_URL, UUID, uuid5

_KEYS = uuid5(NAMESPACE_URL, "https://eskit.dev/idempotency-key")


# Seeded by the system, and anew in a forked child: ids must not repeat, but they are no secrets, and asking the system
# for each takes longer than all the rest. An instance of our own, so that nobody's random.seed() makes ids repeat.
_random = random.Random()  # noqa: S311 - see above
if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_random.seed)


def uuid7() -> UUID:
    """48 bits of milliseconds, then random bits (74 of them). Unique, not secret."""
    value = (time.time_ns() // 1_000_000) << 80 | _random.getrandbits(80)
    return UUID(int=value & ~(0xF << 76) & ~(0b11 << 62) | 0x7 << 76 | 0b10 << 62)


def token() -> str:
    """A short random text, to find one request in logs."""
    return f"{_random.getrandbits(96):024x}"


def from_key(key: str) -> UUID:
    """The event id of an idempotency key: a UUID as it is, any other text by UUIDv5."""
    try:
        return UUID(key)
    except ValueError:
        return uuid5(_KEYS, key)
