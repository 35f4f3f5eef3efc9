"""The shapes of claims and offsets, as REST takes and answers them: the service and its client share them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

MAX_CLAIM = 1000
MAX_COMMITS = 1000
MAX_PARTITION = 100_000
MAX_MEMBER = 200
MAX_TEXT = 1000
MAX_NUMBER = 2**63 - 1

# Python's $ matches before a line end too.
TOPIC_PATTERN = r"^[A-Za-z0-9._-]{1,249}$(?!\n)"
Topic = Annotated[str, Meta(pattern=TOPIC_PATTERN, description="A topic's name.")]
Partition = Annotated[int, Meta(ge=0, le=MAX_PARTITION, description="A partition's number.")]
Number = Annotated[int, Meta(ge=0, le=MAX_NUMBER)]
TopicId = Annotated[
    str, Meta(min_length=22, max_length=36, description="Kafka's id of the topic: a UUID, or its 22 characters.")
]
NO_NUL = r"^[^\x00]*$"  # PostgreSQL's text has none
Text = Annotated[str, Meta(max_length=MAX_TEXT, pattern=NO_NUL)]


class Claim(msgspec.Struct, frozen=True):
    """A partition that is ours from now on, and where its consumer stands.

    `epoch` goes with every commit. `offset` is the next record to read, as Kafka counts; `position` is the log position
    of the last event whose effect is done. Both are None when nothing was ever committed. `reset` is the epoch of the
    last reset (0: never): whoever keeps offsets by himself knows from it whether his own is older.
    """

    partition: int
    epoch: int
    offset: int | None = None
    position: int | None = None
    reset: int = 0


class Claims(msgspec.Struct, frozen=True):
    """The answer to a claim, in the order of the partitions' numbers."""

    claims: list[Claim]


class Release(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A partition that its member gives up."""

    partition: Partition
    epoch: Number


class Commit(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Everything below `offset` is done. Without `epoch`: only for a partition that nobody ever claimed.

    `expected`: the offset that the caller believes to be stored (null: none); another one refuses the commit.
    """

    topic: Topic
    partition: Partition
    offset: Number
    position: Number | None = None
    epoch: Number | None = None
    topic_id: TopicId | None = None
    expected: Number | UnsetType | None = UNSET


class Committed(msgspec.Struct, frozen=True):
    """A partition's stored state after a commit."""

    topic: str
    partition: int
    offset: int | None
    position: int | None
    epoch: int
    topic_id: str | None = None


class PartitionState(msgspec.Struct, frozen=True):
    """How far a consumer has come in one partition, and who has it.

    `lag_events`: records between its offset and the end; `lag_s`: for how many seconds the first of them has been
    there. Both are null while that is not known, or nothing was committed. `events_per_s`: of late.
    """

    topic: str
    partition: int
    offset: int | None
    position: int | None
    epoch: int
    member: str | None
    updated_at: str
    topic_id: str | None = None
    lag_events: int | None = None
    lag_s: float | None = None
    events_per_s: float | None = None


class ConsumerState(msgspec.Struct, frozen=True):
    """A consumer and its partitions. `last_seen`: its last claim or commit, to within a second.

    `members`: those that have partitions and were heard of within a minute. Lags: the sum of events, the longest time;
    `lag_unknown` says why some of it is null where an offset is stored.
    """

    name: str
    created_at: str
    last_seen: str
    partitions: list[PartitionState]
    members: list[str] = []
    lag_events: int | None = None
    lag_s: float | None = None
    events_per_s: float | None = None
    lag_unknown: str | None = None


class ConsumersPage(msgspec.Struct, frozen=True):
    """Consumers in the order of their names; `next` is the `after` to go on with, None at the end."""

    consumers: list[ConsumerState]
    next: str | None
    lag_unknown: str | None = None


Named = Literal["beginning", "end"]


class Reset(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where a consumer shall go on; exactly one of `to`, `position`, `time`, `offsets`.

    `partitions`: only these. `force`: also when somebody consumes, who is fenced by it. `by` and `reason` are kept.
    """

    topic: Topic
    to: Named | None = None
    position: Number | None = None
    time: Annotated[datetime, Meta(tz=True)] | None = None
    offsets: dict[str, Number] | None = None
    partitions: Annotated[list[Partition], Meta(min_length=1, max_length=MAX_CLAIM)] | None = None
    topic_id: TopicId | None = None
    force: bool = False
    by: Text | None = None
    reason: Text | None = None


class ResetPartition(msgspec.Struct, frozen=True):
    """Where a partition stands after a reset."""

    partition: int
    offset: int
    position: int | None
    epoch: int


class ResetAnswer(msgspec.Struct, frozen=True):
    """What a reset has done; `letters`: dead letters that were deleted, because their records come again."""

    partitions: list[ResetPartition]
    letters: int


class Audit(msgspec.Struct, frozen=True):
    """A change by hand. `what`: to what it was set, `delete`, `discard …`; `partitions`: how they stood before."""

    consumer: str
    topic: str
    at: str
    what: str
    by: str | None
    reason: str | None
    forced: bool
    partitions: list[dict[str, Any]]


class Audits(msgspec.Struct, frozen=True):
    """Newest first."""

    resets: list[Audit]


class HistoryPoint(msgspec.Struct, frozen=True):
    """Where an offset was."""

    partition: int
    at: str
    offset: int
    position: int | None


class History(msgspec.Struct, frozen=True):
    """How the offsets of a topic have moved, oldest first; thinned."""

    history: list[HistoryPoint]
