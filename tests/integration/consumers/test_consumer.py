"""P4, P5 on the consumer's side: order, no duplicates, offsets after effects, hand-over between instances."""

from __future__ import annotations

from functools import partial

import pytest

from eskit.consumer import Consumer
from eskit.consumer.config import Protocol
from eskit.errors import Unavailable
from eskit.settings import Settings
from infra.local.broker import KafkaBroker
from tests.integration.consuming import (
    PARTITIONS,
    Seen,
    Topic,
    all_saved,
    collect,
    consuming,
    last_of,
    positions_of,
    ready,
    saved,
    stop,
    stored,
)
from tests.services import until


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


async def test_two_instances_share_the_partitions_and_hand_over_without_a_repetition(
    config: Settings, topic: Topic
) -> None:
    seen = Seen()
    first, second = Consumer("billing"), Consumer("billing")
    collect(first, into=seen)
    collect(second, into=seen)
    async with consuming(config, first) as [running_first]:
        topic.add_positions(range(1, 501))
        await until(lambda: seen.has(range(1, 501)))
        async with consuming(config, second):
            await until(lambda: len(first.partitions) == len(second.partitions) == PARTITIONS // 2)
            topic.add_positions(range(501, 1001))
            await until(lambda: seen.has(range(1, 1001)))
            assert second.stats.handled
            await stop(first, running_first)
            topic.add_positions(range(1001, 1501))
            await until(lambda: seen.has(range(1, 1501)))
            assert second.partitions == set(range(PARTITIONS))
    assert sorted(seen.positions) == list(range(1, 1501))
    assert seen.in_order()


async def test_a_restart_goes_on_where_it_stopped(config: Settings, topic: Topic) -> None:
    seen = Seen()
    for last in (300, 600):
        topic.add_positions(range(last - 299, last + 1))
        consumer = Consumer("billing")
        collect(consumer, into=seen)
        async with consuming(config, consumer):
            await until(partial(seen.has, range(1, last + 1)))
    assert sorted(seen.positions) == list(range(1, 601))


async def test_duplicates_in_the_topic_are_handled_once(config: Settings, topic: Topic) -> None:
    """As a zombie relay writes them: the same run again, interleaved with the rightful one's."""
    topic.add_positions(range(1, 201))
    for start in range(201, 401, 20):
        topic.add_positions(range(start, start + 20))
        topic.add_positions(range(start - 60, start + 10))
    consumer = Consumer("billing")
    seen = collect(consumer)
    async with consuming(config, consumer):
        await until(lambda: seen.has(range(1, 401)))
        await until(lambda: consumer.stats.handled + consumer.stats.dropped == 400 + 10 * 70)
        await until(lambda: all_saved(config, "billing", last_of(range(1, 401))))
    topic.add_positions(range(301, 401))  # and again, seen by the next process: the position is saved, too
    topic.add_positions(range(401, 411))
    after = Consumer("billing")
    seen_after = collect(after)
    async with consuming(config, after):
        await until(lambda: seen_after.has(range(401, 411)))
    assert sorted(seen.positions) == list(range(1, 401))
    assert sorted(seen_after.positions) == list(range(401, 411))
    assert seen.in_order()


async def test_filtered_events_move_the_offset(config: Settings, topic: Topic) -> None:
    """A bug of old: they never did."""
    topic.add(stored(p, action="Deleted" if p % 10 == 0 else "Changed") for p in range(1, 201))
    consumer = Consumer("billing")
    seen = collect(consumer, "*.Deleted", "Other.*")
    async with consuming(config, consumer):
        await until(lambda: all_saved(config, "billing", last_of(range(1, 201))))
    assert sorted(seen.positions) == list(range(10, 201, 10))
    assert (consumer.stats.handled, consumer.stats.filtered) == (20, 180)


async def test_start_end_takes_only_what_comes_and_saves_where_it_began(config: Settings, topic: Topic) -> None:
    topic.add_positions(range(1, 101))
    consumer = Consumer("billing", start="end")
    seen = collect(consumer)
    ends = {n: len(positions_of(n, range(1, 101))) for n in range(PARTITIONS)}
    async with consuming(config, consumer):
        await until(lambda: began_at(config, ends))
        topic.add_positions(range(101, 151))
        await until(lambda: seen.has(range(101, 151)))
    assert sorted(seen.positions) == list(range(101, 151))


async def began_at(config: Settings, ends: dict[int, int]) -> bool:
    return {n: offset for n, (offset, _) in (await saved(config, "billing")).items()} == ends


async def test_the_topic_may_come_later_than_the_consumer(
    config: Settings, kafka_broker: KafkaBroker, protocol: Protocol
) -> None:
    consumer = Consumer("billing", protocol=protocol)
    seen = collect(consumer)
    async with consuming(config, consumer):
        with pytest.raises(Unavailable, match="topic"):
            await consumer.check()
        topic = Topic(config, kafka_broker)
        topic.add_positions(range(1, 11))
        await until(lambda: seen.has(range(1, 11)))
        await until(lambda: ready(consumer))


async def test_no_memory_of_one_log_in_another(config: Settings, topic: Topic) -> None:
    """Two consumers with different names each see everything."""
    topic.add_positions(range(1, 101))
    one, two = Consumer("one"), Consumer("two")
    seen_one, seen_two = collect(one), collect(two, "Thing.Changed")
    async with consuming(config, one, two):
        await until(lambda: seen_one.has(range(1, 101)) and seen_two.has(range(1, 101)))
