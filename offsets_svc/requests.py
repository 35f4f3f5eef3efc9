"""Requests to the offsets service: JSON in, checked claims and commits out."""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec

from eskit.errors import InvalidRequest
from eskit.offsets import MAX_CLAIM, MAX_COMMITS, MAX_MEMBER, MAX_PARTITION, Commit
from eskit.web.bodies import decode
from eskit.web.queries import MAX_POSITION

_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")


class ClaimIn(msgspec.Struct, forbid_unknown_fields=True):
    """`POST …/claims`. `member` is for people: who has the partitions."""

    topic: str
    partitions: list[int]
    member: str


class OffsetIn(msgspec.Struct, forbid_unknown_fields=True):
    """`PUT …/offsets/{topic}/{partition}`; the path says the rest."""

    offset: int
    position: int | None = None
    epoch: int | None = None


class CommitsIn(msgspec.Struct, forbid_unknown_fields=True):
    """`PUT …/offsets`."""

    offsets: list[Commit]


class Partition(NamedTuple):
    """One partition of one topic."""

    topic: str
    number: int


_claim = msgspec.json.Decoder(ClaimIn)
_offset = msgspec.json.Decoder(OffsetIn)
_commits = msgspec.json.Decoder(CommitsIn)


def parse_claim(body: bytes) -> ClaimIn:
    """A claim of 1 to 1000 different partitions; raises MalformedRequest, InvalidRequest."""
    claim = decode(body, _claim)
    topic(claim.topic)
    if not 1 <= len(claim.partitions) <= MAX_CLAIM:
        message = f"partitions must have 1 to {MAX_CLAIM} entries, not {len(claim.partitions)}"
        raise InvalidRequest(message, field="partitions")
    for index, number in enumerate(claim.partitions):
        _within(number, MAX_PARTITION, f"partitions[{index}]")
    if len(set(claim.partitions)) < len(claim.partitions):
        raise InvalidRequest("partitions names a partition twice", field="partitions")
    if not 1 <= len(claim.member) <= MAX_MEMBER or not claim.member.isprintable():
        raise InvalidRequest(f"member must have 1 to {MAX_MEMBER} printable characters", field="member")
    return claim


def parse_offset(body: bytes, at: Partition) -> Commit:
    """One commit; raises MalformedRequest, InvalidRequest."""
    given = decode(body, _offset)
    commit = Commit(at.topic, at.number, given.offset, given.position, given.epoch)
    _check(commit, "")
    return commit


def parse_commits(body: bytes) -> list[Commit]:
    """At most 1000 commits to different partitions; raises MalformedRequest, InvalidRequest."""
    commits = decode(body, _commits).offsets
    if len(commits) > MAX_COMMITS:
        raise InvalidRequest(f"offsets must have at most {MAX_COMMITS} entries, not {len(commits)}", field="offsets")
    seen: set[Partition] = set()
    for index, commit in enumerate(commits):
        _check(commit, f"offsets[{index}].")
        where = Partition(commit.topic, commit.partition)
        if where in seen:
            # One result for each entry, and one row for each partition: two could not both be told the truth.
            message = f"offsets[{index}] is a second commit to {commit.topic} {commit.partition}"
            raise InvalidRequest(message, field=f"offsets[{index}].partition")
        seen.add(where)
    return commits


def topic(text: str, field: str = "topic") -> str:
    """Check a topic's name; raises InvalidRequest."""
    if not _TOPIC.fullmatch(text):
        raise InvalidRequest(f"{field} must have 1 to 249 letters, digits, `.`, `_`, `-`", field=field)
    return text


def partition(text: str) -> int:
    """Check a partition's number in a path; raises InvalidRequest."""
    value = int(text) if text.isascii() and text.isdecimal() and len(text) <= 6 else -1
    _within(value, MAX_PARTITION, "partition")
    return value


def _check(commit: Commit, at: str) -> None:
    topic(commit.topic, f"{at}topic")
    _within(commit.partition, MAX_PARTITION, f"{at}partition")
    _within(commit.offset, MAX_POSITION, f"{at}offset")
    for name in ("position", "epoch"):
        value = getattr(commit, name)
        if value is not None:
            _within(value, MAX_POSITION, f"{at}{name}")


def _within(value: int, most: int, field: str) -> None:
    if not 0 <= value <= most:
        raise InvalidRequest(f"{field} must be a whole number from 0 to {most}", field=field)
