"""What became of a commit: a pure function of what was asked and of how the partition stands afterwards."""

from __future__ import annotations

from msgspec import UNSET

from eskit.errors import EskitError, Fenced, OffsetMismatch, OffsetRegression, TopicChanged
from eskit.offsets import Commit, Committed


def verdict(commit: Commit, after: Committed | None) -> EskitError | None:
    """None: it was taken. Else the first reason why not. `after` is None for an unknown partition.

    Reasons in the order Fenced, TopicChanged, OffsetMismatch, OffsetRegression. A commit that finds the partition as it
    wants to leave it was taken, maybe before: so it may be repeated when its answer was lost.
    """
    where = f"{commit.topic} {commit.partition}"
    epoch = after.epoch if after else 0
    if (commit.epoch or 0) != epoch:
        return Fenced(f"{where}: {_fence(commit.epoch, epoch)}", epoch=epoch)
    if after is None:
        return _mismatch(where, commit, None)
    if commit.topic_id is not None and after.topic_id is not None and commit.topic_id != after.topic_id:
        message = f"{where}: the offset belongs to a topic with the id {after.topic_id}, not {commit.topic_id}"
        return TopicChanged(message, field="topic_id", stored=after.topic_id, given=commit.topic_id)
    if commit.expected is not UNSET and after.offset != commit.offset:
        return _mismatch(where, commit, after.offset)
    return _regression(where, commit, after)


def _regression(where: str, commit: Commit, after: Committed) -> OffsetRegression | None:
    for field in ("offset", "position"):
        given, stored = getattr(commit, field), getattr(after, field)
        if given is not None and stored is not None and stored > given:
            message = f"{where}: {field} {given} is lower than the stored {stored}"
            return OffsetRegression(message, field=field, stored=stored)
    return None


def _mismatch(where: str, commit: Commit, stored: int | None) -> OffsetMismatch:
    message = f"{where}: offset {stored} is stored, not the expected {commit.expected}"
    return OffsetMismatch(message, field="expected", stored=stored)


def _fence(given: int | None, epoch: int) -> str:
    if epoch == 0:
        return f"epoch {given} is not its epoch: nobody has claimed it"
    if given is None:
        return f"it is claimed (epoch {epoch}): a commit needs the epoch of the claim"
    return f"epoch {given} is not its epoch any more: somebody else has claimed it since (epoch {epoch})"
