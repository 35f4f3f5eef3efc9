"""Dead letters in memory, by the rules of the offsets service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from eskit.consumer.delivery.failures import Failure
from eskit.consumer.delivery.items import Item
from eskit.consumer.delivery.parking import Aside
from eskit.consumer.delivery.routes import Routes

PAGE = 50


@dataclass
class Parked:
    """An originator that waits, with its letters by their offsets."""

    retry: bool = False
    letters: dict[int, Aside] = field(default_factory=dict)


class KeptLetters:
    """Of all consumers of a log."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[int, dict[str, Parked]]] = {}

    def of(self, consumer: str) -> list[Aside]:
        """All letters of a consumer, in the order of partition and offset."""
        return [
            parked.letters[offset]
            for _, keys in sorted(self._kept.get(consumer, {}).items())
            for offset, parked in sorted((offset, parked) for parked in keys.values() for offset in parked.letters)
        ]

    def retry(self, consumer: str, *keys: str) -> None:
        """Let the letters of these originators be handled again; without one, all."""
        for parked in self._parked(consumer, keys):
            parked.retry = True

    def discard(self, consumer: str, *keys: str) -> None:
        """Throw away what failed; what waited behind it is handled."""
        for parked in self._parked(consumer, keys):
            parked.letters = {o: aside for o, aside in parked.letters.items() if aside.failure is None}
            parked.retry = True

    def _parked(self, consumer: str, keys: Sequence[str]) -> list[Parked]:
        found = self._kept.get(consumer, {}).values()
        return [parked for of in found for key, parked in of.items() if not keys or key in keys]

    def at(self, consumer: str, partition: int, routes: Routes) -> PartitionLetters:
        """Those of one partition, as its worker needs them; `routes`: the handlers by now."""
        return PartitionLetters(self._kept.setdefault(consumer, {}).setdefault(partition, {}), routes)


class PartitionLetters:
    """As `Letters` says."""

    def __init__(self, kept: dict[str, Parked], routes: Routes) -> None:
        self._kept = kept
        self._routes = routes

    async def parked(self) -> dict[str, int]:
        """As Letters says."""
        return {key: min(parked.letters, default=0) for key, parked in self._kept.items()}

    async def wanted_back(self) -> list[str]:
        """As Letters says."""
        return [key for key, parked in self._kept.items() if parked.retry]

    async def add(self, letters: Sequence[Aside]) -> None:
        """As Letters says."""
        for aside in letters:
            kept = self._kept.setdefault(aside.item.key, Parked()).letters
            if aside.failure is not None or aside.item.offset not in kept:
                kept[aside.item.offset] = aside

    async def first(self, key: str, above: int) -> list[Item]:
        """As Letters says."""
        letters = self._kept[key].letters
        return [self._now(letters[offset].item) for offset in sorted(letters) if offset > above][:PAGE]

    def _now(self, item: Item) -> Item:
        if item.record is None:
            return item
        event = item.record.event
        return item._replace(calls=self._routes.of(event.entity_type, event.action))

    async def done(self, key: str, offset: int) -> None:
        """As Letters says."""
        self._kept[key].letters.pop(offset, None)

    async def failed(self, key: str, offset: int, failure: Failure) -> None:
        """As Letters says."""
        parked = self._kept[key]
        if offset not in parked.letters:
            return  # thrown away meanwhile: it holds nobody up
        parked.retry = False
        before = parked.letters[offset].failure
        attempts = failure.attempts + (before.attempts if before else 0)
        parked.letters[offset] = Aside(parked.letters[offset].item, failure._replace(attempts=attempts))

    async def unpark(self, key: str) -> bool:
        """As Letters says."""
        if self._kept[key].letters:
            return False
        del self._kept[key]
        return True
