"""The lag of consumers in events and seconds, as Kafka's ends and the committed offsets say."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from eskit.client.offsets import Offsets
from eskit.offsets import Commit, ConsumerState
from eskit.settings import Settings
from infra.local.broker import KafkaBroker
from offsets_svc.app import offsets_app
from tests.integration.consuming import PARTITIONS, Topic, positions_of
from tests.services import config_for, running, until

COUNTS = [len(positions_of(number, range(1, 1001))) for number in range(PARTITIONS)]


@pytest.fixture
async def offsets(log_config: Settings) -> AsyncIterator[Offsets]:
    async with running(offsets_app(log_config), log_config, "offsets_port") as url, Offsets(url) as client:
        yield client


async def seen(offsets: Offsets, events: int, name: str = "billing") -> ConsumerState:
    """The consumer as soon as its lag is known and so large."""
    found: list[ConsumerState] = []

    async def known() -> bool:
        found[:] = [await offsets.consumer(name)]
        return found[0].lag_unknown is None and found[0].lag_events == events

    await until(known, 15.0, lambda: found)
    return found[0]


async def test_the_lag_is_what_lies_before_a_consumer(
    offsets: Offsets, log_config: Settings, kafka_broker: KafkaBroker
) -> None:
    topic = Topic(log_config, kafka_broker)
    topic.add_positions(range(1, 1001))
    await offsets.commit("billing", Commit(topic.name, 0, 5))
    await offsets.commit("billing", Commit(topic.name, 1, COUNTS[1]))
    await offsets.claim("billing", topic.name, [2], "host")
    state = await seen(offsets, COUNTS[0] - 5)
    zero, one, two = state.partitions
    assert (zero.lag_events, one.lag_events, one.lag_s) == (COUNTS[0] - 5, 0, 0.0)
    assert (two.lag_events, two.lag_s) == (None, None)  # nothing committed: nobody knows where it begins
    assert state.lag_s == zero.lag_s
    assert zero.lag_s is not None
    # Its next record was there before the service saw the topic for the first time: the record says when.
    assert 0.0 <= zero.lag_s < 60.0
    assert state.members == ["host"]
    page = await offsets.consumers()
    assert [(c.name, c.lag_events) for c in page.consumers] == [("billing", COUNTS[0] - 5)]


async def test_seconds_are_those_since_the_next_record_came(
    offsets: Offsets, log_config: Settings, kafka_broker: KafkaBroker
) -> None:
    topic = Topic(log_config, kafka_broker)
    topic.add_positions(range(1, 1001))
    await offsets.commit("billing", Commit(topic.name, 0, COUNTS[0]))
    assert (await seen(offsets, 0)).lag_s == 0.0
    before = time.monotonic()
    topic.add_positions(range(1001, 2001))
    after = time.monotonic()
    there = len(positions_of(0, range(1001, 2001)))
    first = await seen(offsets, there)
    assert first.lag_s is not None
    assert first.lag_s <= time.monotonic() - before + 0.1

    async def grown() -> bool:
        state = await offsets.consumer("billing")
        assert state.lag_s is not None
        # Right within a second: the watch looks twice a second.
        assert state.lag_s >= time.monotonic() - after - 2.0
        return state.lag_s > 1.5

    await until(grown)
    await offsets.commit("billing", Commit(topic.name, 0, COUNTS[0] + there - 1))
    state = await offsets.consumer("billing")
    assert state.lag_events == 1
    await offsets.commit("billing", Commit(topic.name, 0, COUNTS[0] + there))
    state = await offsets.consumer("billing")
    assert (state.lag_events, state.lag_s) == (0, 0.0)


@pytest.mark.real_kafka
async def test_records_that_retention_took_are_no_lag(
    offsets: Offsets, log_config: Settings, kafka_broker: KafkaBroker
) -> None:
    topic = Topic(log_config, kafka_broker)
    topic.add_positions(range(1, 1001))
    admin = AdminClient({"bootstrap.servers": log_config.kafka_bootstrap})
    gone = TopicPartition(topic.name, 0, 50)
    admin.delete_records([gone])[gone].result(20)
    await offsets.commit("billing", Commit(topic.name, 0, 5))
    await seen(offsets, COUNTS[0] - 50)


async def test_two_instances_say_the_same(log_config: Settings, kafka_broker: KafkaBroker) -> None:
    topic = Topic(log_config, kafka_broker)
    topic.add_positions(range(1, 1001))
    async with (
        running(offsets_app(log_config), log_config, "offsets_port") as one,
        running(offsets_app(log_config), log_config, "offsets_port") as two,
        Offsets(one) as first,
        Offsets(two) as second,
    ):
        await first.commit("billing", Commit(topic.name, 0, 5))
        states = await asyncio.gather(seen(first, COUNTS[0] - 5), seen(second, COUNTS[0] - 5))
        lags = [state.lag_s for state in states]
        assert lags[0] is not None
        assert lags[1] is not None
        assert abs(lags[0] - lags[1]) < 10.0


async def test_a_topic_that_is_not_there_and_one_that_comes_later(
    offsets: Offsets, log_config: Settings, kafka_broker: KafkaBroker
) -> None:
    await offsets.commit("billing", Commit(log_config.topic, 0, 0))
    state = await offsets.consumer("billing")
    assert state.lag_events is None
    assert state.lag_unknown is not None
    Topic(log_config, kafka_broker).add_positions(range(1, 1001))
    await seen(offsets, COUNTS[0])


async def test_without_kafka_lags_are_unknown_and_all_else_works(config: Settings) -> None:
    for bootstrap, reason in (("", "ESKIT_KAFKA_BOOTSTRAP is not set"), ("127.0.0.1:1", "")):
        away = config_for(config.database_url, bootstrap)
        async with running(offsets_app(away), away, "offsets_port") as url, Offsets(url) as offsets:
            await offsets.commit("billing", Commit("t", 0, 3))
            state = await offsets.consumer("billing")
            assert (state.lag_events, state.lag_s) == (None, None)
            assert state.lag_unknown is not None
            assert reason in state.lag_unknown
            await offsets.wait_until_ready()


@pytest.mark.real_kafka
async def test_kafka_that_goes_away_and_comes_back(config: Settings, private_kafka: KafkaBroker) -> None:
    mine = config_for(config.database_url, private_kafka.bootstrap)
    topic = Topic(mine, private_kafka)
    topic.add_positions(range(1, 1001))
    async with running(offsets_app(mine), mine, "offsets_port") as url, Offsets(url) as offsets:
        await offsets.commit("billing", Commit(topic.name, 0, 5))
        await seen(offsets, COUNTS[0] - 5)
        private_kafka.kill()

        async def unknown() -> bool:
            state = await offsets.consumer("billing")
            return state.lag_events is None and state.lag_unknown is not None

        await until(unknown, 30.0)
        await offsets.commit("billing", Commit(topic.name, 0, 6))
        await offsets.wait_until_ready()
        private_kafka.start()
        await seen(offsets, COUNTS[0] - 6)
