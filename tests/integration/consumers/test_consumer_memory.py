"""Consumers whose effect is memory: read anew at each start, hooks around each partition, caught up with the log."""

from __future__ import annotations

import asyncio

from eskit.consumer import Consumer
from eskit.settings import Settings
from tests.integration.consuming import (
    PARTITIONS,
    Topic,
    all_saved,
    collect,
    consuming,
    last_of,
    partition_of,
    positions_of,
    saved,
)
from tests.services import until


async def test_in_memory_starts_anew_each_time_and_offsets_only_rise(config: Settings, topic: Topic) -> None:
    topic.add_positions(range(1, 201))
    ends = {n: (len(p := positions_of(n, range(1, 201))), p[-1]) for n in range(PARTITIONS)}
    for _ in range(2):
        consumer = Consumer("view", in_memory=True)
        seen = collect(consumer)
        assigned: set[int] = set()

        @consumer.on_assigned
        async def prepare(partitions: set[int], assigned: set[int] = assigned) -> None:
            assigned |= partitions

        async with consuming(config, consumer):
            await asyncio.wait_for(consumer.caught_up(200), 30)
            assert sorted(seen.positions) == list(range(1, 201))
            assert not any(consumer.replaying(n) for n in range(PARTITIONS))
            await until(lambda: all_saved(config, "view", last_of(range(1, 201))))
        assert await saved(config, "view") == ends
        assert assigned == set(range(PARTITIONS))


async def test_caught_up_waits_for_every_partition(config: Settings, topic: Topic) -> None:
    """Filtered events count, and events above the head make no difference."""
    late = positions_of(2, range(1, 101))
    topic.add_positions(p for p in range(1, 151) if partition_of(p) != 2)
    consumer = Consumer("view", in_memory=True)
    seen = collect(consumer, "Other.*")
    async with consuming(config, consumer):
        waiting = asyncio.ensure_future(consumer.caught_up(100))
        await until(lambda: consumer.stats.filtered == len([p for p in range(1, 151) if partition_of(p) != 2]))
        assert not waiting.done()
        topic.add_positions(late[:-1])
        await until(lambda: consumer.stats.filtered == 149 - len(positions_of(2, range(101, 151))))
        assert not waiting.done()
        topic.add_positions(late[-1:])
        await asyncio.wait_for(waiting, 30)
    assert seen.records == []
