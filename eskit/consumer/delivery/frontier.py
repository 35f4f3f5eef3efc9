"""Up to where everything is done, when events end in another order than they began. Pure."""

from __future__ import annotations

from collections import deque

from eskit.consumer.delivery.progress import Progress


class Begun:
    """One record that has begun, and whether it is done."""

    __slots__ = ("done", "offset", "position")

    def __init__(self, offset: int, position: int) -> None:
        self.offset = offset
        self.position = position
        self.done = False


class Frontier:
    """Moves the progress over the records that are done, and never past one that is not."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._begun: deque[Begun] = deque()

    def __len__(self) -> int:
        """Records begun, from the first that is not done."""
        return len(self._begun)

    def begin(self, offset: int, position: int) -> Begun:
        """A record, in the order of the partition."""
        begun = Begun(offset, position)
        self._begun.append(begun)
        return begun

    def end(self, begun: Begun) -> None:
        """It is done: it, and what was done before and waited for it, may be committed."""
        begun.done = True
        while self._begun and self._begun[0].done:
            first = self._begun.popleft()
            self._progress.done(first.offset, first.position)
