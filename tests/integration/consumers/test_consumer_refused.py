"""What the brokers refuse: a setting ends the consumer by its name, what may pass is waited for and told."""

from __future__ import annotations

import asyncio
import time

import confluent_kafka
import pytest
from confluent_kafka.admin import AdminClient

from eskit.consumer import Consumer, Event, Tuning
from eskit.consumer.config import Protocol, group_id
from eskit.consumer.delivery.worker import Worker
from eskit.consumer.group.membership import PATIENCE_S
from eskit.errors import SettingsError, TopicChanged, Unavailable
from eskit.settings import Settings
from infra.local.broker import KafkaBroker
from tests.integration.consuming import (
    PARTITIONS,
    Topic,
    collect,
    consuming,
    ready,
)
from tests.services import until

pytestmark = pytest.mark.real_kafka


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


async def test_a_topic_made_anew_behind_our_back_ends_the_consumer(
    config: Settings, topic: Topic, kafka_broker: KafkaBroker, protocol: Protocol
) -> None:
    """A classic member is not told: it would read on at its offset, past what the new topic has below it."""
    topic.add_positions(range(1, 801))
    consumer = Consumer("billing", protocol=protocol, tuning=Tuning(queue_events=5, grace_s=0.1, refresh_s=0.5))

    @consumer.on()
    async def handler(_: Event) -> None:
        await asyncio.Event().wait()

    task = asyncio.create_task(consumer.run(config))
    await until(lambda: len(consumer.partitions) == PARTITIONS and all(w.inbox.full for w in workers(consumer)))
    await asyncio.sleep(2 * PATIENCE_S)  # full for so long, they are paused: no fetch can find out
    await asyncio.to_thread(delete, config)
    Topic(config, kafka_broker).add_positions(range(1, 1601))
    with pytest.raises(TopicChanged):
        await asyncio.wait_for(task, 60)


def workers(consumer: Consumer) -> list[Worker]:
    return list(consumer.runtime.workers.values()) if consumer.runtime else []


def delete(config: Settings) -> None:
    admin = AdminClient({"bootstrap.servers": config.kafka_bootstrap})
    admin.delete_topics([config.topic])[config.topic].result()
    while config.topic in admin.list_topics(timeout=5).topics:
        time.sleep(0.02)
