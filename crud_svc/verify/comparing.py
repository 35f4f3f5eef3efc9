"""The comparison: one walk along the log's streams, the copies beside it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import NamedTuple

from crud_svc.verify.copies import Copy, Key, Log, difference

# How often somebody is told how far it has come, in events.
TELL_EVENTS = 500


class Difference(NamedTuple):
    """A copy that is not what the events make of that version."""

    of: str
    key: Key
    what: str

    def __str__(self) -> str:
        return f"{self.of} of {self.key.target} at version {self.key.version}: {self.what}"


class Copies:
    """The copies that a cache keeps, in the order of the streams, one at a time."""

    def __init__(self, of: str, many: str, found: AsyncGenerator[Copy, None]) -> None:
        """`of`, `many`: what one of them is called, and several."""
        self.of = of
        self.many = many
        self.count = 0
        self.next: Copy | None = None
        self._found = found

    async def advance(self) -> None:
        """To the next one; None at the end."""
        self.next = await anext(self._found, None)
        self.count += self.next is not None

    async def up_to(self, key: Key, log: Log) -> AsyncGenerator[Difference, None]:
        """Compare the copies up to this version, at which the log is."""
        while self.next is not None and self.next.key <= key:
            if self.next.key < key:
                if found := self.without_event(self.next):
                    yield found
            elif wrong := difference(log.copy(), self.next):
                yield Difference(self.of, key, wrong)
            await self.advance()

    def stream_ended(self, _: Log) -> Difference | None:
        """The log is at the last event of a stream: what a cache ought to have of it, and has not."""
        return None

    async def rest(self) -> AsyncGenerator[Difference, None]:
        """Those behind the last event."""
        while self.next is not None:
            if found := self.without_event(self.next):
                yield found
            await self.advance()

    def without_event(self, copy: Copy) -> Difference | None:
        """The log, as far as it is looked at, has no such version."""
        return Difference(self.of, copy.key, "the log has no such event")


async def compare(
    log: Log, caches: Sequence[Copies], tell: Callable[[int], object]
) -> AsyncGenerator[Difference, None]:
    """Every difference; `tell` hears how many events were folded since it was last told."""
    for copies in caches:
        await copies.advance()
    untold = 0
    async for key in log.keys():
        for copies in caches:
            async for found in copies.up_to(key, log):
                yield found
            if log.last_of_stream and (missing := copies.stream_ended(log)):
                yield missing
        untold += 1
        if untold == TELL_EVENTS:
            tell(untold)
            untold = 0
    tell(untold)
    for copies in caches:
        async for found in copies.rest():
            yield found
