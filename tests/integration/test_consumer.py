"""P4, P5 on the consumer's side: order, no duplicates, offsets after effects, hand-over between instances."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from eskit.consumer import Consumer
from eskit.settings import Settings
from infra.local.broker import KafkaBroker
from tests.integration.consuming import (
    PARTITIONS,
    Topic,
    all_saved,
    collect,
    consuming,
    offsets_service,
    positions_of,
    saved,
)
from tests.services import until


@pytest.fixture
async def config(log_config: Settings) -> AsyncIterator[Settings]:
    async with offsets_service(log_config) as config:
        yield config


@pytest.fixture
def topic(config: Settings, kafka_broker: KafkaBroker) -> Topic:
    return Topic(config, kafka_broker)


def last_of(positions: range) -> list[int]:
    """The last position of each partition."""
    return [positions_of(n, positions)[-1] for n in range(PARTITIONS)]


async def test_every_event_once_in_order_and_the_offset_follows(config: Settings, topic: Topic) -> None:
    topic.add_positions(range(1, 1001))
    consumer = Consumer("billing")
    seen = collect(consumer)
    async with consuming(config, consumer):
        await until(lambda: seen.has(range(1, 1001)))
        await until(lambda: all_saved(config, "billing", last_of(range(1, 1001))))
    assert sorted(seen.positions) == list(range(1, 1001))
    assert seen.in_order()
    assert await saved(config, "billing") == {
        n: (len(positions_of(n, range(1, 1001))), positions_of(n, range(1, 1001))[-1]) for n in range(PARTITIONS)
    }
