"""What a consumer counts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Stats:
    """Plain numbers: one for each event would cost too much in a metrics library. Over the life of the process."""

    handled: int = 0  # events whose handlers have returned
    filtered: int = 0  # events that no handler wants
    dropped: int = 0  # duplicates
    failed: int = 0  # calls of a handler that raised
    committed: int = 0  # commits that the offsets service took, one for each partition
    fenced: int = 0  # commits that it refused: somebody else had claimed the partition
