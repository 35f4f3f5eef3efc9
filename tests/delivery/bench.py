"""A log to deliver from, in memory or in Kafka, with the same few words for both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import NamedTuple, Protocol

from eskit.client.letters import DeadLetters
from eskit.client.offsets import Offsets
from eskit.consumer import Consumer
from eskit.errors import NotFound
from eskit.events import Stored
from eskit.letters import DiscardLetters, RetryLetters
from eskit.settings import Settings
from eskit.testing import Log
from eskit.testing.consuming import TOPIC, memory_means
from tests.integration.consuming import PARTITIONS, Topic, consuming, partition_of, stored
from tests.services import until

ORIGINATORS = 100


class Kept(NamedTuple):
    """A letter: whose, which position, whether it failed itself; and after how many attempts."""

    key: str
    position: int | None
    failed: bool
    attempts: int


class Bench(Protocol):
    """A log with consumers."""

    config: Settings

    def add(self, positions: range, *, action: str = "Changed") -> None:
        """Events of 100 originators, one at each position."""

    def add_raw(self, number: int, value: bytes) -> None:
        """A record that is no event."""

    def running(self, consumer: Consumer) -> AbstractAsyncContextManager[asyncio.Task[None]]:
        """A context in which it consumes."""

    async def letters(self, name: str) -> list[Kept]:
        """What it has set aside, by partition and offset."""

    async def retry(self, name: str, *keys: str) -> None:
        """Let letters be handled again."""

    async def discard(self, name: str, key: str) -> None:
        """Throw failed letters away."""

    async def offsets(self, name: str) -> dict[int, int | None]:
        """What is committed, by partition."""

    def ends(self) -> dict[int, int]:
        """Records of each partition."""


class MemoryBench:
    """A log in memory; views are in the real Postgres all the same."""

    def __init__(self, config: Settings) -> None:
        self.config = config
        self.log = Log(PARTITIONS)

    def add(self, positions: range, *, action: str = "Changed") -> None:
        for position in positions:
            self.log.publish(stored(position, action=action))

    def add_raw(self, number: int, value: bytes) -> None:
        self.log.add_raw(number, value)

    @asynccontextmanager
    async def running(self, consumer: Consumer) -> AsyncIterator[asyncio.Task[None]]:
        async with consumer.view(self.config) as view:
            task = asyncio.create_task(consumer.run_on(memory_means(consumer, self.log), TOPIC, view=view))
            await asyncio.sleep(0)
            try:
                yield task
            finally:
                consumer.stop()
                async with asyncio.timeout(30):
                    await task

    async def letters(self, name: str) -> list[Kept]:
        return [
            Kept(a.item.key, a.item.position or None, a.failure is not None, a.failure.attempts if a.failure else 0)
            for a in self.log.letters.of(name)
        ]

    async def retry(self, name: str, *keys: str) -> None:
        self.log.letters.retry(name, *keys)

    async def discard(self, name: str, key: str) -> None:
        self.log.letters.discard(name, key)

    async def offsets(self, name: str) -> dict[int, int | None]:
        return self.log.offsets.of(name)

    def ends(self) -> dict[int, int]:
        return {number: len(messages) for number, messages in enumerate(self.log.partitions)}


class KafkaBench:
    """The real ones."""

    def __init__(self, config: Settings, topic: Topic) -> None:
        self.config = config
        self._topic = topic
        self._ends = dict.fromkeys(range(PARTITIONS), 0)

    def add(self, positions: range, *, action: str = "Changed") -> None:
        events: list[Stored] = [stored(position, action=action) for position in positions]
        self._topic.add(events)
        for event in events:
            self._ends[partition_of(event.position)] += 1

    def add_raw(self, number: int, value: bytes) -> None:
        self._topic.add_raw(number, value)
        self._ends[number] += 1

    @asynccontextmanager
    async def running(self, consumer: Consumer) -> AsyncIterator[asyncio.Task[None]]:
        async with consuming(self.config, consumer) as [task]:
            yield task

    def _letters(self) -> DeadLetters:
        return DeadLetters(self.config.offsets_url, patience_s=2)

    async def letters(self, name: str) -> list[Kept]:
        async with self._letters() as client:
            page = await client.letters(name, limit=1000)
        return [Kept(one.key, one.position, one.failed, one.cause.attempts) for one in page.letters]

    async def retry(self, name: str, *keys: str) -> None:
        async with self._letters() as client:
            await client.retry(name, RetryLetters(list(keys), all=not keys))

    async def discard(self, name: str, key: str) -> None:
        async with self._letters() as client:
            await client.discard(name, DiscardLetters(key))

    async def offsets(self, name: str) -> dict[int, int | None]:
        async with Offsets(self.config.offsets_url, patience_s=2) as client:
            try:
                return {p.partition: p.offset for p in (await client.consumer(name)).partitions}
            except NotFound:
                return {}

    def ends(self) -> dict[int, int]:
        return dict(self._ends)


async def committed(bench: Bench, name: str) -> None:
    """Return when everything that is in the log is committed."""
    wanted = {number: end for number, end in bench.ends().items() if end}

    async def all_committed() -> bool:
        found = await bench.offsets(name)
        return all((found.get(number) or 0) >= end for number, end in wanted.items())

    await until(all_committed, 60)


async def set_aside(bench: Bench, name: str, holds: Callable[[list[Kept]], bool]) -> list[Kept]:
    """The letters, as soon as they are as wanted."""
    found: list[Kept] = []

    async def as_wanted() -> bool:
        nonlocal found
        found = await bench.letters(name)
        return holds(found)

    await until(as_wanted, 30)
    return found
