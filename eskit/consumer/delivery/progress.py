"""How far a consumer has come in one partition: what is a duplicate, what may be committed. Pure: no I/O, no clock."""

from __future__ import annotations

from eskit.offsets import Claim, Commit


class Progress:
    """The state of one partition between its claim and its end.

    `next_offset` moves only by `done`, that is after the effect; so nothing that is not done can be committed.
    """

    def __init__(self, topic: str, claim: Claim, *, in_memory: bool = False) -> None:
        """As the claim says; in memory everything starts anew, and what is stored is only overtaken."""
        self.topic = topic
        self.partition = claim.partition
        self.epoch = claim.epoch
        self.stored_offset = claim.offset
        self.stored_position = claim.position
        self.claimed_offset = claim.offset or 0
        self.next_offset = None if in_memory else claim.offset
        self.last_position = 0 if in_memory else claim.position or 0
        self._first_offset: int | None = self.next_offset

    def begin_at(self, offset: int) -> None:
        """Everything below this offset is not wanted, hence done."""
        self.next_offset = self._first_offset = offset

    def done(self, offset: int, position: int) -> None:
        """A record's effect is complete, or it has none: filtered out, or a duplicate."""
        if self._first_offset is None:
            self._first_offset = offset
        self.next_offset = offset + 1
        self.last_position = max(self.last_position, position)

    @property
    def uncommitted(self) -> int:
        """Records that would be handled again if the process ended now."""
        if self.next_offset is None:
            return 0
        least = self.stored_offset if self.stored_offset is not None else self._first_offset
        return max(0, self.next_offset - (least or 0))

    @property
    def replaying(self) -> bool:
        """Whether some of what had been committed before the claim is still to be read again."""
        return (self.next_offset or 0) < self.claimed_offset

    def commit(self) -> Commit | None:
        """What to commit; None when the offsets service knows it already, or knows of more."""
        if self.next_offset is None or (self.stored_offset is not None and self.next_offset <= self.stored_offset):
            return None
        return Commit(self.topic, self.partition, self.next_offset, self.last_position or None, self.epoch)

    def commit_again(self) -> Commit | None:
        """What is stored already, as a sign of life; None when nothing is."""
        if self.stored_offset is None:
            return None
        return Commit(self.topic, self.partition, self.stored_offset, self.stored_position, self.epoch)

    def committed(self, commit: Commit) -> None:
        """The offsets service has stored this."""
        self.stored_offset = commit.offset
        self.stored_position = commit.position if commit.position is not None else self.stored_position
