"""P5, P8 for consumers: services that go away, owners that come back, offsets and records that cannot be right."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from eskit.client.letters import DeadLetters
from eskit.client.offsets import Offsets
from eskit.consumer import Consumer, HandlerStopped, OffsetOutOfRange, Stop, Tuning
from eskit.consumer.config import Protocol
from eskit.errors import OffsetRegression, Unavailable
from eskit.kafka.record import UndecodableRecord
from eskit.letters import UNREADABLE
from eskit.offsets import Commit
from eskit.settings import Settings
from infra.local.broker import KafkaBroker
from infra.local.ports import free_port
from offsets_svc.app import offsets_app
from tests.integration.consuming import (
    PARTITIONS,
    Topic,
    all_saved,
    collect,
    consuming,
    last_of,
    offsets_service,
    partition_of,
    ready,
    saved,
)
from tests.services import own_log, running, until


async def test_the_offsets_service_comes_later_goes_and_comes_back(
    log_config: Settings, kafka_broker: KafkaBroker
) -> None:
    """While it is away events are handled up to the window, then they wait; nothing is lost, nothing comes twice."""
    port = free_port()
    config = msgspec.structs.replace(log_config, offsets_port=port, offsets_url=f"http://127.0.0.1:{port}")
    topic = Topic(config, kafka_broker)
    topic.add_positions(range(1, 201))
    consumer = Consumer("billing", tuning=Tuning(window=30, commit_interval_s=0.05))
    seen = collect(consumer)
    async with consuming(config, consumer):
        await until(lambda: not_ready(consumer, "claims and commits wait"))
        assert seen.records == []
        async with running(offsets_app(config), config, "offsets_port"):
            await until(lambda: seen.has(range(1, 201)))
            await until(lambda: ready(consumer))
            await until(lambda: all_saved(config, "billing", last_of(range(1, 201))))
        topic.add_positions(range(201, 801))
        await until(lambda: len(seen.records) == 200 + PARTITIONS * 30)
        await until(lambda: not_ready(consumer, "claims and commits wait"))
        assert len(seen.records) == 200 + PARTITIONS * 30
        async with running(offsets_app(config), config, "offsets_port"):
            await until(lambda: seen.has(range(1, 801)))
            await until(lambda: all_saved(config, "billing", last_of(range(1, 801))))
            await until(lambda: ready(consumer))
    assert len(seen.records) == 800
    assert seen.in_order()


async def not_ready(consumer: Consumer, why: str) -> bool:
    try:
        await consumer.check()
    except Unavailable as error:
        return why in error.detail
    return False


async def test_stopping_while_the_offsets_service_is_away_takes_bounded_time(
    log_config: Settings, kafka_broker: KafkaBroker
) -> None:
    port = free_port()
    config = msgspec.structs.replace(log_config, offsets_port=port, offsets_url=f"http://127.0.0.1:{port}")
    Topic(config, kafka_broker).add_positions(range(1, 101))
    first, second = (Consumer("billing", tuning=Tuning(grace_s=0.3)) for _ in range(2))
    seen_first, seen_second = collect(first), collect(second)
    async with consuming(config, first):
        async with running(offsets_app(config), config, "offsets_port"):
            await until(lambda: first.partitions)
        await until(lambda: seen_first.has(range(1, 101)) or not_ready(first, "claims and commits wait"))
    async with running(offsets_app(config), config, "offsets_port"), consuming(config, second):
        await until(lambda: all_saved(config, "billing", last_of(range(1, 101))))
    assert set(seen_first.positions) | set(seen_second.positions) == set(range(1, 101))


@pytest.mark.parametrize("offset", [10_000, 2**62])
async def test_a_saved_offset_out_of_range_is_an_error_and_no_jump(
    config: Settings, topic: Topic, offset: int, protocol: Protocol
) -> None:
    topic.add_positions(range(1, 101))
    async with Offsets(config.offsets_url) as offsets:
        await offsets.commit("billing", Commit(topic.name, 2, offset))
    consumer = Consumer("billing", protocol=protocol)
    seen = collect(consumer)
    with pytest.raises(OffsetOutOfRange) as caught:
        await asyncio.wait_for(consumer.run(config), 30)
    assert f"{topic.name} partition 2" in caught.value.detail
    assert (await saved(config, "billing"))[2] == (offset, None)
    assert seen.of(2) == []


async def test_a_record_that_is_no_event_is_set_aside_by_itself(config: Settings, topic: Topic) -> None:
    topic.add_positions([100, 200])
    number = partition_of(100)
    topic.add_raw(number, b"hello")
    topic.add_positions([300])
    consumer = Consumer("billing")
    seen = collect(consumer)
    async with consuming(config, consumer):
        await until(lambda: all_saved(config, "billing", [300]))
    assert seen.positions == [100, 200, 300]
    async with DeadLetters(config.offsets_url) as client:
        [letter] = (await client.letters("billing", with_record=True)).letters
    assert (letter.partition, letter.offset, letter.value, letter.key) == (number, 2, b"hello", UNREADABLE)
    assert f"{topic.name} partition {number} offset 2" in letter.cause.error


async def test_a_record_that_is_no_event_stops_a_consumer_that_says_so(config: Settings, topic: Topic) -> None:
    topic.add_positions([100, 200])
    number = partition_of(100)
    topic.add_raw(number, b"hello")
    topic.add_positions([300])
    consumer = Consumer("billing", on_error={UndecodableRecord: Stop})
    seen = collect(consumer)
    with pytest.raises(HandlerStopped) as caught:
        await asyncio.wait_for(consumer.run(config), 30)
    assert f"{topic.name} partition {number} offset 2" in caught.value.detail
    assert seen.positions == [100, 200]
    assert (await saved(config, "billing"))[number] == (2, 200)


async def test_an_offset_that_went_ahead_of_us_stops_the_consumer(config: Settings, topic: Topic) -> None:
    """Nobody but the owner of the epoch can move an offset; if it moved all the same, we do not know what was done."""
    topic.add_positions([100])
    number = partition_of(100)
    consumer = Consumer("billing", tuning=Tuning(commit_interval_s=0.05))
    seen = collect(consumer)
    task = asyncio.create_task(consumer.run(config))
    await until(lambda: all_saved(config, "billing", [100]))
    async with Offsets(config.offsets_url) as offsets:
        [state] = [p for p in (await offsets.consumer("billing")).partitions if p.partition == number]
        await offsets.commit("billing", Commit(topic.name, number, 50, epoch=state.epoch))
    topic.add_positions([200])
    with pytest.raises(OffsetRegression):
        await asyncio.wait_for(task, 30)
    assert seen.positions == [100, 200]


async def test_a_hook_that_fails_stops_the_consumer(config: Settings, topic: Topic) -> None:
    topic.add_positions(range(1, 11))
    consumer = Consumer("billing")
    seen = collect(consumer)

    @consumer.on_assigned
    async def prepare(_: set[int]) -> None:
        raise ValueError("no room")

    with pytest.raises(ValueError, match="no room"):
        await asyncio.wait_for(consumer.run(config), 30)
    assert seen.records == []


async def test_an_idle_consumer_gives_a_sign_of_life(config: Settings, topic: Topic) -> None:
    topic.add_positions([1])
    consumer = Consumer("billing", tuning=Tuning(commit_interval_s=0.05, refresh_s=0.1))
    collect(consumer)
    async with consuming(config, consumer):
        await until(lambda: all_saved(config, "billing", [1]))
        committed = consumer.stats.committed
        await until(lambda: consumer.stats.committed >= committed + 3)
    assert (await saved(config, "billing"))[partition_of(1)] == (1, 1)


async def test_a_consumer_of_an_empty_log_gives_a_sign_of_life_too(config: Settings, topic: Topic) -> None:
    assert topic.name
    consumer = Consumer("billing", tuning=Tuning(commit_interval_s=0.05, refresh_s=0.1))
    collect(consumer)
    async with consuming(config, consumer), Offsets(config.offsets_url) as offsets:
        await until(lambda: consumer.partitions)
        claimed = (await offsets.consumer("billing")).last_seen

        async def seen_since() -> bool:
            return (await offsets.consumer("billing")).last_seen > claimed

        await until(seen_since)
    assert set((await saved(config, "billing")).values()) == {(None, None)}


@pytest.mark.real_kafka
@pytest.mark.slow
async def test_kafka_is_killed_and_comes_back(
    database_url: str, private_kafka: KafkaBroker, protocol: Protocol
) -> None:
    if private_kafka.kind == "given":
        pytest.skip("this Kafka is not ours to kill")
    async with offsets_service(own_log(database_url, private_kafka.bootstrap)) as config:
        topic = Topic(config, private_kafka)
        topic.add_positions(range(1, 301))
        consumer = Consumer("billing", protocol=protocol)
        seen = collect(consumer)
        async with consuming(config, consumer):
            await until(lambda: seen.has(range(1, 301)))
            await asyncio.to_thread(private_kafka.kill)
            await until(lambda: not_ready(consumer, "Kafka"), 60)
            await asyncio.to_thread(private_kafka.start)
            topic.add_positions(range(301, 601))
            await until(lambda: seen.has(range(1, 601)), 90)
            await until(lambda: ready(consumer), 60)
            await until(lambda: all_saved(config, "billing", last_of(range(1, 601))))
            await asyncio.to_thread(private_kafka.kill)  # and an end without it comes in bounded time
    assert set(seen.positions) == set(range(1, 601))
