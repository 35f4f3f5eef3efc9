"""What became of a commit: a pure function of what was asked and of how the partition stood before."""

from __future__ import annotations

from msgspec import UNSET

from eskit.errors import EskitError, Fenced, OffsetMismatch, OffsetRegression, TopicChanged
from eskit.offsets import Commit, Committed


def verdict(commit: Commit, before: Committed | None) -> EskitError | None:
    """None: it is taken. Else the first reason why not. `before` is None for an unknown partition.

    Reasons in the order Fenced, TopicChanged, OffsetMismatch, OffsetRegression. The same commit again is taken again,
    so it may be repeated when its answer was lost; but with `expected`, of many that want the same one is taken.
    """
    where = f"{commit.topic} {commit.partition}"
    epoch = before.epoch if before else 0
    if (commit.epoch or 0) != epoch:
        return Fenced(f"{where}: {_fence(commit.epoch, epoch)}", epoch=epoch)
    if before is None:
        return None if commit.expected in {UNSET, None} else _mismatch(where, commit, None)
    if commit.topic_id is not None and before.topic_id is not None and commit.topic_id != before.topic_id:
        message = f"{where}: the offset belongs to a topic with the id {before.topic_id}, not {commit.topic_id}"
        return TopicChanged(message, field="topic_id", stored=before.topic_id, given=commit.topic_id)
    if commit.expected is not UNSET and before.offset != commit.expected:
        return _mismatch(where, commit, before.offset)
    return _regression(where, commit, before)


def _regression(where: str, commit: Commit, before: Committed) -> OffsetRegression | None:
    for field in ("offset", "position"):
        given, stored = getattr(commit, field), getattr(before, field)
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
