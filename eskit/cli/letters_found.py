"""The letters that a command line means, page by page."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import msgspec

from eskit.client.letters import DeadLetters
from eskit.errors import NotFound
from eskit.letters import Cause, Kept, ParkedKey

PAGE = 1000
# With their records, fewer: that is a page of the service.
RECORDS = 100
_PLACE = re.compile(r"([A-Za-z0-9._-]{1,249})/(\d{1,6})/(\d{1,18})", re.ASCII)


class Which(NamedTuple):
    """The letters of a key, or, with a place, one."""

    key: str
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None


class WaitingKey(msgspec.Struct, frozen=True):
    """A key, with the first of its letters that failed; None: none of those that are left."""

    parked: ParkedKey
    failed_offset: int | None
    cause: Cause | None


async def which(client: DeadLetters, consumer: str, text: str) -> Which:
    """What a person has typed: the place of a letter that is there, else a key. Raises Unavailable."""
    if found := _PLACE.fullmatch(text):
        topic, partition, offset = found[1], int(found[2]), int(found[3])
        try:
            return Which((await client.letter(consumer, topic, partition, offset)).key, topic, partition, offset)
        except NotFound:
            pass  # an originator's id may look like that
    return Which(text)


async def keys(client: DeadLetters, consumer: str, limit: int) -> tuple[list[WaitingKey], bool]:
    """The first keys that wait, and whether there are more."""
    found: list[ParkedKey] = []
    after: str | None = None
    while len(found) < limit:
        page = await client.parked(consumer, limit=min(PAGE, limit - len(found)), after=after)
        found += page.parked
        after = page.next
        if after is None:
            break
    more = after is not None and bool((await client.parked(consumer, limit=1, after=after)).parked)
    return [await _with_cause(client, consumer, key) for key in found], more


async def _with_cause(client: DeadLetters, consumer: str, key: ParkedKey) -> WaitingKey:
    page = await client.letters(consumer, limit=1, topic=key.topic, partition=key.partition, key=key.key, failed=True)
    if not page.letters:
        return WaitingKey(key, None, None)
    return WaitingKey(key, page.letters[0].offset, page.letters[0].cause)


async def letters(
    client: DeadLetters, consumer: str, wanted: Which, limit: int, *, records: bool = True, failed: bool | None = None
) -> tuple[list[Kept], bool]:
    """The first letters (`failed`: only those that did), and whether there are more. Raises NotFound."""
    if wanted.topic is not None and wanted.partition is not None and wanted.offset is not None:
        return [await client.letter(consumer, wanted.topic, wanted.partition, wanted.offset)], False
    found: list[Kept] = []
    asked: dict[str, Any] = {"key": wanted.key, "failed": failed}
    after: str | None = None
    while len(found) < limit:
        most = min(RECORDS if records else PAGE, limit - len(found))
        page = await client.letters(consumer, limit=most, after=after, with_record=records, **asked)
        found += page.letters
        after = page.next
        if after is None:
            break
    if not found:
        what = "that failed" if failed else "set aside"
        raise NotFound(f"{consumer} has no letter of {wanted.key!r} {what}")
    more = after is not None and bool((await client.letters(consumer, limit=1, after=after, **asked)).letters)
    return found, more
