"""Positions of the log at which the entities are just as a commit has its paths: for lists of the past."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

CHECKPOINTS = 20


class Checkpoints:
    """Some commits of an import, chosen by chance; at each the import waits until everything up to it is stored."""

    def __init__(self, commits: Sequence[str], before: int) -> None:
        """The history, oldest first, of which so many commits are imported already."""
        self._numbers = {sha: number for number, sha in enumerate(commits)}
        new = commits[before:]
        self._wanted = set(random.sample(new, min(CHECKPOINTS, len(new))))
        self._last = 0
        self._taken: dict[str, int] = {}

    def wanted(self, sha: str) -> bool:
        """Whether a commit is one of them."""
        return sha in self._wanted

    def stored(self, sha: str, position: int) -> None:
        """A change of a commit stands in the log at a position: perhaps since an import that was interrupted.

        Then a commit after a checkpoint may stand before it; there is no such place for that checkpoint.
        """
        self._last = max(self._last, position)
        number = self._numbers[sha]
        self._taken = {one: at for one, at in self._taken.items() if self._numbers[one] >= number or at < position}

    def take(self, sha: str) -> None:
        """Everything up to this commit is stored, and nothing after it was sent yet."""
        if self._last:
            self._taken[sha] = self._last

    def with_earlier(self, earlier: Mapping[str, int]) -> dict[str, int]:
        """The positions by commit, those of earlier imports among them; as many as there should be, by chance."""
        both = [*{**earlier, **self._taken}.items()]
        return dict(random.sample(both, min(CHECKPOINTS, len(both))))
