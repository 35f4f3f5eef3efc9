"""A topic filled as the relay fills it, and consumers to read it, for the tests of the consumer runtime."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress

import msgspec
from confluent_kafka import Producer

from eskit.client.offsets import Offsets
from eskit.consumer import Consumer, Record
from eskit.errors import NotFound, Unavailable
from eskit.events import Stored
from eskit.kafka.murmur2 import partition
from eskit.kafka.record import Source
from eskit.settings import Settings
from infra.local.broker import KafkaBroker
from infra.local.ports import free_port
from offsets_svc.app import offsets_app
from tests.services import running

PARTITIONS = 4


def originator(position: int) -> str:
    """Whose event it is: one of 100."""
    return f"thing-{position % 100}"


def stored(position: int, *, action: str = "Changed", entity_type: str = "Thing") -> Stored:
    """The event at a position."""
    return Stored(
        position=position,
        event_id=str(uuid.UUID(int=position)),
        entity_type=entity_type,
        originator_id=originator(position),
        version=position // 100 + 1,
        action=action,
        payload=f'{{"n": {position}}}',
        metadata="{}",
        occurred_on_us=1_700_000_000_000_000 + position,
        recorded_at_us=1_700_000_000_000_000 + position,
    )


def partition_of(position: int) -> int:
    """The partition where `stored(position)` goes."""
    return partition(originator(position), PARTITIONS)


def positions_of(number: int, positions: Iterable[int]) -> list[int]:
    """Those of the positions that go to a partition."""
    return [p for p in positions if partition_of(p) == number]


def last_of(positions: Iterable[int]) -> list[int]:
    """The last position of each partition."""
    return [positions_of(n, positions)[-1] for n in range(PARTITIONS)]


class Topic:
    """The application log's topic of one test."""

    def __init__(self, config: Settings, broker: KafkaBroker, partitions: int = PARTITIONS) -> None:
        self.name = config.topic
        self.partitions = partitions
        broker.create_topic(self.name, partitions)
        self._source = Source(config.log)
        # As the relay's is: without it a batch that is sent again could come after a later one.
        options = {"enable.idempotence": True, "linger.ms": 5, "log_level": 0}
        self._producer = Producer({"bootstrap.servers": config.kafka_bootstrap, **options})

    def add(self, events: Iterable[Stored]) -> None:
        """Publish; durable when this returns."""
        for event in events:
            record = self._source.record(event)
            self._producer.produce(
                self.name,
                key=record.key,
                value=record.value,
                headers=list(record.headers),
                partition=partition(event.originator_id, self.partitions),
            )
            self._producer.poll(0)
        assert self._producer.flush(30) == 0

    def add_positions(self, positions: Iterable[int]) -> None:
        """Publish the events at these positions."""
        self.add(stored(p) for p in positions)

    def add_raw(self, number: int, value: bytes | None) -> None:
        """Publish what is no event of ours."""
        self._producer.produce(self.name, value=value, partition=number)
        assert self._producer.flush(30) == 0


class Seen:
    """What one consumer was given, in order."""

    def __init__(self) -> None:
        self.records: list[tuple[int, int]] = []  # partition, position

    @property
    def positions(self) -> list[int]:
        return [position for _, position in self.records]

    def of(self, number: int) -> list[int]:
        """The positions of one partition."""
        return [position for where, position in self.records if where == number]

    def has(self, positions: Iterable[int]) -> bool:
        return set(positions) <= set(self.positions)

    def in_order(self) -> bool:
        """Whether the positions of each partition rise, without a repetition."""
        return all(self.of(n) == sorted(set(self.of(n))) for n in range(PARTITIONS))


@asynccontextmanager
async def offsets_service(config: Settings) -> AsyncIterator[Settings]:
    """The offsets service at a port that stays; the settings that name it."""
    port = free_port()
    config = msgspec.structs.replace(config, offsets_port=port, offsets_url=f"http://127.0.0.1:{port}")
    async with running(offsets_app(config), config, "offsets_port"):
        yield config


@asynccontextmanager
async def consuming(config: Settings, *consumers: Consumer) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Consumers that run, and are stopped at the end; an error that they end with is raised there."""
    tasks = [asyncio.create_task(c.run(config)) for c in consumers]
    await asyncio.sleep(0)  # a consumer can be asked only when it has begun
    try:
        yield tasks
    finally:
        for consumer in consumers:
            consumer.stop()
        async with asyncio.timeout(30):
            await asyncio.gather(*tasks)


async def stop(consumer: Consumer, task: asyncio.Task[None]) -> None:
    """Stop one in good order."""
    consumer.stop()
    async with asyncio.timeout(30):
        await task


async def saved(config: Settings, name: str) -> dict[int, tuple[int | None, int | None]]:
    """Offset and position of each partition, as the offsets service has them; empty for an unknown consumer."""
    async with Offsets(config.offsets_url, patience_s=2) as client:
        with suppress(NotFound):
            return {p.partition: (p.offset, p.position) for p in (await client.consumer(name)).partitions}
    return {}


async def all_saved(config: Settings, name: str, last: Sequence[int]) -> bool:
    """Whether everything up to these last positions of the partitions is committed."""
    found = await saved(config, name)
    return all((found.get(partition_of(p), (None, None))[1] or 0) >= p for p in last)


def collect(consumer: Consumer, *selectors: str, into: Seen | None = None) -> Seen:
    """Make a consumer note what it is given."""
    seen = Seen() if into is None else into

    @consumer.on_record(*selectors)
    async def note(record: Record) -> None:
        seen.records.append((record.partition, record.event.position))

    return seen


async def ready(consumer: Consumer) -> bool:
    """Whether it says that it is ready."""
    try:
        await consumer.check()
    except Unavailable:
        return False
    return True
