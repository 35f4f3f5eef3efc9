"""The shapes of claims and offsets, as REST takes and answers them: the service and its client share them."""

from __future__ import annotations

import msgspec

MAX_CLAIM = 1000
MAX_COMMITS = 1000
MAX_PARTITION = 100_000
MAX_MEMBER = 200


class Claim(msgspec.Struct, frozen=True):
    """A partition that is ours from now on, and where its consumer stands.

    `epoch` goes with every commit. `offset` is the next record to read, as Kafka counts; `position` is the log position
    of the last event whose effect is done. Both are None when nothing was ever committed.
    """

    partition: int
    epoch: int
    offset: int | None = None
    position: int | None = None


class Claims(msgspec.Struct, frozen=True):
    """The answer to a claim, in the order of the partitions' numbers."""

    claims: list[Claim]


class Commit(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Everything below `offset` is done. Without `epoch`: only for a partition that nobody ever claimed."""

    topic: str
    partition: int
    offset: int
    position: int | None = None
    epoch: int | None = None


class Committed(msgspec.Struct, frozen=True):
    """A partition's stored state after a commit."""

    topic: str
    partition: int
    offset: int | None
    position: int | None
    epoch: int


class PartitionState(msgspec.Struct, frozen=True):
    """How far a consumer has come in one partition, and who claimed it last."""

    topic: str
    partition: int
    offset: int | None
    position: int | None
    epoch: int
    member: str | None
    updated_at: str


class ConsumerState(msgspec.Struct, frozen=True):
    """A consumer and its partitions. `last_seen`: its last claim or commit, to within a second."""

    name: str
    created_at: str
    last_seen: str
    partitions: list[PartitionState]


class ConsumersPage(msgspec.Struct, frozen=True):
    """Consumers in the order of their names; `next` is the `after` to go on with, None at the end."""

    consumers: list[ConsumerState]
    next: str | None
