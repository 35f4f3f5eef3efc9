"""What became of a commit: a pure function of what was asked and of how the partition stands afterwards."""

from __future__ import annotations

from eskit.errors import EskitError, Fenced, OffsetRegression
from eskit.offsets import Commit, Committed


def verdict(commit: Commit, after: Committed | None) -> EskitError | None:
    """None: it was taken. Else why not: Fenced before OffsetRegression. `after` is None for an unknown partition."""
    where = f"{commit.topic} {commit.partition}"
    epoch = after.epoch if after else 0
    if after is None or (commit.epoch or 0) != epoch:
        return Fenced(f"{where}: {_fence(commit.epoch, epoch)}", epoch=epoch)
    if after.offset is not None and after.offset > commit.offset:
        message = f"{where}: offset {commit.offset} is lower than the stored {after.offset}"
        return OffsetRegression(message, field="offset", stored=after.offset)
    if commit.position is not None and after.position is not None and after.position > commit.position:
        message = f"{where}: position {commit.position} is lower than the stored {after.position}"
        return OffsetRegression(message, field="position", stored=after.position)
    return None


def _fence(given: int | None, epoch: int) -> str:
    if epoch == 0:
        return f"epoch {given} is not its epoch: nobody has claimed it"
    if given is None:
        return f"it is claimed (epoch {epoch}): a commit needs the epoch of the claim"
    return f"epoch {given} is not its epoch any more: somebody else has claimed it since (epoch {epoch})"
