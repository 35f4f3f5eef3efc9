"""What the brokers refuse: a setting ends the consumer by its name, what may pass is waited for and told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import confluent_kafka
import pytest

from eskit.consumer import Consumer
from eskit.consumer.config import group_id
from eskit.errors import SettingsError, Unavailable
from eskit.settings import Settings
from infra.local.broker import KafkaBroker
from tests.integration.consuming import Topic, collect, consuming, offsets_service, ready
from tests.services import until

pytestmark = pytest.mark.real_kafka


@pytest.fixture
async def config(log_config: Settings) -> AsyncIterator[Settings]:
    async with offsets_service(log_config) as config:
        yield config


@pytest.fixture
def topic(config: Settings, kafka_broker: KafkaBroker) -> Topic:
    return Topic(config, kafka_broker)


async def test_a_session_that_the_brokers_refuse_ends_the_consumer(config: Settings, topic: Topic) -> None:
    topic.add_positions([1])
    consumer = Consumer("billing", session_timeout_s=0.5)
    seen = collect(consumer)
    with pytest.raises(SettingsError, match=r"do not take 500 ms.*group\.min\.session") as caught:
        await asyncio.wait_for(consumer.run(config), 30)
    assert caught.value.field == "session_timeout_s"
    assert seen.records == []


async def test_a_stranger_who_shares_out_in_another_way_keeps_us_out_until_he_ends(
    config: Settings, topic: Topic
) -> None:
    topic.add_positions(range(1, 101))
    stranger = confluent_kafka.Consumer(
        {"bootstrap.servers": config.kafka_bootstrap, "group.id": group_id(config, "billing"), "log_level": 0}
    )
    assigned = asyncio.Event()
    stranger.subscribe([topic.name], on_assign=lambda *_: assigned.set())
    await until(lambda: stranger.poll(0) is not None or assigned.is_set())
    consumer = Consumer("billing")
    seen = collect(consumer)
    async with consuming(config, consumer):
        await until(lambda: shut_out(stranger, consumer))
        assert seen.records == []
        stranger.close()
        await until(lambda: seen.has(range(1, 101)))
        await until(lambda: ready(consumer))


async def shut_out(stranger: confluent_kafka.Consumer, consumer: Consumer) -> bool:
    stranger.poll(0)
    try:
        await consumer.check()
    except Unavailable as error:
        return "Inconsistent group protocol" in error.detail
    return False
