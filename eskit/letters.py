"""The shapes of dead letters: records that a consumer has set aside, and the keys whose later records wait."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from eskit.names import MAX_ID_BYTES
from eskit.offsets import NO_NUL, Number, Partition, Text, Topic

MAX_LETTERS = 1000
MAX_KEYS = 1000
MAX_ERROR = 2000
# What the key of an originator never is: the records that cannot be read are kept under it.
UNREADABLE = ""

Key = Annotated[str, Meta(max_length=MAX_ID_BYTES, pattern=NO_NUL)]
Short = Annotated[str, Meta(max_length=300, pattern=NO_NUL)]


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One header of a record, whoever wrote it."""

    name: str
    value: bytes | None = None


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """Why a record was set aside. `traceback_hash` is the same for errors from the same lines of code."""

    error_type: Short = ""
    error: Annotated[str, Meta(max_length=MAX_ERROR, pattern=NO_NUL)] = ""
    traceback_hash: Annotated[str, Meta(max_length=64, pattern=NO_NUL)] = ""
    attempts: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0


class Letter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A record as it is set aside. `failed`: itself, or unreadable; else it waits behind one that did.

    `position`, `event_type`, `event_id`: null where it cannot be read. Bytes are base64 in JSON.
    """

    offset: Number
    key: Key
    failed: bool
    position: Number | None = None
    event_type: Short | None = None
    event_id: Short | None = None
    cause: Cause = Cause()
    value: bytes | None = None
    headers: list[Header] = []


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A letter as it is kept. Without its record, where that was not asked for."""

    topic: str
    partition: int
    offset: int
    key: str
    failed: bool
    position: int | None
    event_type: str | None
    event_id: str | None
    cause: Cause
    set_aside_at: str
    value: bytes | None = None
    headers: list[Header] | None = None


class Owner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whoever has claimed a partition, and by which epoch."""

    topic: Topic
    partition: Partition
    epoch: Number


class SetAside(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an owner sets aside."""

    owner: Owner
    letters: Annotated[list[Letter], Meta(min_length=1, max_length=MAX_LETTERS)]


class Done(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A letter that has had its effect."""

    owner: Owner
    offset: Number


class FailedAgain(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A letter that was tried again and has failed: its key goes on waiting."""

    owner: Owner
    offset: Number
    key: Key
    cause: Cause


class Unpark(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key that may go, if no letter of it is left."""

    owner: Owner
    key: Key


class Changed(msgspec.Struct, frozen=True):
    """How many letters, or keys, it was."""

    changed: int


class ParkedKey(msgspec.Struct, frozen=True):
    """A key that waits. `retry`: somebody wants its letters to be handled again."""

    topic: str
    partition: int
    key: str
    retry: bool
    first_offset: int
    since: str
    letters: int | None = None


class ParkedKeys(msgspec.Struct, frozen=True):
    """A page, in the order of topic, partition, key; `next` is the `after` to go on with, None at the end."""

    parked: list[ParkedKey]
    next: str | None


class LettersPage(msgspec.Struct, frozen=True):
    """A page, in the order of topic, partition, offset; `next` is the `after` to go on with, None at the end."""

    letters: list[Kept]
    next: str | None


class RetryLetters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Keys to be handled again: these, or all."""

    keys: Annotated[list[Key], Meta(max_length=MAX_KEYS)] = []
    all: bool = False


class DiscardLetters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Letters to be thrown away: the failed ones of a key, or those at these offsets, or all of the key.

    Only those of a topic or partition, where one is given: the records that cannot be read have one key in all of them.
    What waited behind them is then handled. `by` and `reason` are kept.
    """

    key: Key
    topic: Topic | None = None
    partition: Partition | None = None
    offsets: Annotated[list[Number], Meta(max_length=MAX_LETTERS)] = []
    all: bool = False
    by: Text | None = None
    reason: Text | None = None
