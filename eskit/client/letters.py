"""Client of the offsets service for dead letters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import msgspec

from eskit.client.http import query, segment
from eskit.client.service import JSON, ServiceClient
from eskit.letters import (
    MAX_LETTERS,
    Changed,
    DiscardLetters,
    Done,
    FailedAgain,
    Kept,
    Letter,
    LettersPage,
    Owner,
    ParkedKeys,
    RetryLetters,
    SetAside,
    Unpark,
)

T = TypeVar("T")

# Of one call, as JSON: a service takes bodies of 8 MiB by default.
MAX_BYTES = 4 * 1024 * 1024


class DeadLetters(ServiceClient):
    """Set records aside and work them off, as the owner of a partition; look at them and decide on them, as anybody.

    Every call may safely be repeated, and is while the service is away. An owner's calls raise Fenced after a newer
    claim of the partition; all raise Unavailable.
    """

    service = "the offsets service"

    async def set_aside(self, consumer: str, owner: Owner, letters: Sequence[Letter]) -> None:
        """Keep these; one that is kept already stays as it is, but for a new failure."""
        for some in _calls(letters):
            await self._post(consumer, "dead-letters", SetAside(owner, some), Changed)

    async def done(self, consumer: str, owner: Owner, offset: int) -> None:
        """Forget a letter that has had its effect."""
        await self._post(consumer, "dead-letters/done", Done(owner, offset), Changed)

    async def failed(self, consumer: str, given: FailedAgain) -> None:
        """A letter has failed again; its key goes on waiting."""
        await self._post(consumer, "dead-letters/failed", given, Changed)

    async def unpark(self, consumer: str, owner: Owner, key: str) -> bool:
        """Let a key go; False while letters of it are left."""
        answer = await self._post(consumer, "dead-letters/unpark", Unpark(owner, key), dict[str, bool])
        return answer["unparked"]

    async def parked(self, consumer: str, *, count: bool = True, limit: int = 1000, **which: Any) -> ParkedKeys:
        """A page of keys that wait. `which`: topic, partition, retry, after."""
        return await self._get(
            f"/v1/consumers/{segment(consumer)}/parked", ParkedKeys, count=count, limit=limit, **which
        )

    async def letters(self, consumer: str, *, limit: int = 100, **which: Any) -> LettersPage:
        """A page of letters. `which`: topic, partition, key, failed, with_record, after."""
        return await self._get(f"/v1/consumers/{segment(consumer)}/dead-letters", LettersPage, limit=limit, **which)

    async def letter(self, consumer: str, topic: str, partition: int, offset: int) -> Kept:
        """One letter with its record; raises NotFound."""
        path = f"/v1/consumers/{segment(consumer)}/dead-letters/{segment(topic)}/{partition}/{offset}"
        return await self._get(path, Kept)

    async def consumers(self) -> dict[str, int]:
        """The consumers that have set anything aside, each with the number of keys that wait."""
        return (await self._get("/v1/dead-letters", dict[str, dict[str, int]]))["consumers"]

    async def retry(self, consumer: str, wanted: RetryLetters) -> int:
        """Let the letters of keys be handled again; how many keys."""
        return (await self._post(consumer, "dead-letters/retry", wanted, Changed)).changed

    async def discard(self, consumer: str, wanted: DiscardLetters) -> int:
        """Throw letters away; how many."""
        return (await self._post(consumer, "dead-letters/discard", wanted, Changed)).changed

    async def _post(self, consumer: str, what: str, body: msgspec.Struct, kind: type[T]) -> T:
        path = f"/v1/consumers/{segment(consumer)}/{what}"
        answer = await self.call("POST", path, body=msgspec.json.encode(body), headers=JSON)
        return self._decoded(answer.body, kind)

    async def _get(self, path: str, kind: type[T], **which: Any) -> T:
        return self._decoded((await self.call("GET", path + query(**which))).body, kind)

    def _decoded(self, body: bytes, kind: type[T]) -> T:
        with self.understood():
            return msgspec.json.decode(body, type=kind)


def _calls(letters: Sequence[Letter]) -> Iterator[list[Letter]]:
    """The letters of each call: at least one, as many as its body takes."""
    some: list[Letter] = []
    total = 0
    for letter in letters:
        size = len(msgspec.json.encode(letter))
        if some and (len(some) == MAX_LETTERS or total + size > MAX_BYTES):
            yield some
            some, total = [], 0
        some.append(letter)
        total += size
    if some:
        yield some
