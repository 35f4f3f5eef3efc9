"""What a run works with: Kafka and the offsets service, or a log in memory."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

from eskit.consumer.delivery.parking import Letters
from eskit.consumer.group.bridge import Callbacks
from eskit.consumer.group.membership import Source
from eskit.errors import EskitError
from eskit.kafka.seeking import Place
from eskit.offsets import Claim, Commit, Committed


class Offsets(Protocol):
    """Who reads which partition, and how far a consumer has come."""

    async def claim(
        self, consumer: str, topic: str, partitions: Iterable[int], member: str, topic_id: str | None = None
    ) -> list[Claim]:
        """Take partitions over. Raises TopicChanged, Unavailable."""

    async def commit_all(self, consumer: str, commits: Sequence[Commit]) -> list[Committed | EskitError]:
        """Move offsets; of each what is stored now, or why it was refused. Raises Unavailable."""

    async def release(self, consumer: str, topic: str, claims: Iterable[Claim]) -> None:
        """Leave partitions in good order: nobody has them now. Raises Unavailable."""


class Group(Protocol):
    """Who of a consumer's members reads what; records come into the inboxes of what is ours."""

    room: threading.Event

    def start(self) -> None:
        """Join."""

    def read(self, sources: dict[int, Source]) -> None:
        """Fetch these partitions, as far as they are still ours."""

    def rejoin(self) -> None:
        """Leave and join anew: the group then says afresh what is ours."""

    async def check(self) -> None:
        """Raises Unavailable that says what is wrong."""

    async def stop(self) -> None:
        """Give everything back and leave."""


class Means(NamedTuple):
    """`letters`: those of a partition, by its claim. `seek`: the offsets of a place. `identify`: the topic's id."""

    offsets: Offsets
    letters: Callable[[Claim], Letters]
    group: Callable[[Callbacks], Group]
    seek: Callable[[Iterable[int], Place], Awaitable[dict[int, int]]]
    identify: Callable[[], Awaitable[str | None]]
