"""Claims and offsets in memory, by the rules of the offsets service."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from eskit.errors import EskitError
from eskit.offsets import Claim, Commit, Committed
from eskit.verdicts import verdict

Place = tuple[str, str, int]


@dataclass
class Row:
    """How a partition stands."""

    epoch: int = 0
    offset: int | None = None
    position: int | None = None
    member: str | None = None


class KeptOffsets:
    """Of all consumers of a log."""

    def __init__(self) -> None:
        self.rows: dict[Place, Row] = {}
        self._epoch = 0

    async def claim(
        self, consumer: str, topic: str, partitions: Iterable[int], member: str, topic_id: str | None = None
    ) -> list[Claim]:
        """As the service does; a log in memory has one life."""
        del topic_id
        claims = []
        for number in sorted(partitions):
            row = self.rows.setdefault((consumer, topic, number), Row())
            self._epoch += 1
            row.epoch, row.member = self._epoch, member
            claims.append(Claim(number, row.epoch, row.offset, row.position))
        return claims

    async def commit_all(self, consumer: str, commits: Sequence[Commit]) -> list[Committed | EskitError]:
        """As the service does."""
        return [self._commit(consumer, commit) for commit in commits]

    def _commit(self, consumer: str, commit: Commit) -> Committed | EskitError:
        row = self.rows.get((consumer, commit.topic, commit.partition))
        before = self._stored(commit, row) if row else None
        # What was refused is seen in how the partition stands; so is what may be taken.
        if (refused := verdict(commit, before)) is not None or row is None:
            return refused or EskitError("nobody has claimed it")
        row.offset = commit.offset
        row.position = row.position if commit.position is None else commit.position
        return self._stored(commit, row)

    def _stored(self, commit: Commit, row: Row) -> Committed:
        return Committed(commit.topic, commit.partition, row.offset, row.position, row.epoch)

    async def release(self, consumer: str, topic: str, claims: Iterable[Claim]) -> None:
        """As the service does."""
        for claim in claims:
            row = self.rows.get((consumer, topic, claim.partition))
            if row is not None and row.epoch == claim.epoch:
                row.member = None

    def of(self, consumer: str) -> dict[int, int | None]:
        """The offsets of a consumer, by partition."""
        return {number: row.offset for (name, _, number), row in self.rows.items() if name == consumer}
