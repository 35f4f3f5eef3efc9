"""Handlers that fail, hang, are slow: their partition waits, others go on; stopping is clean in each case."""

from __future__ import annotations

import asyncio

import pytest

from eskit.consumer import Consumer, Record, Retry, Tuning
from eskit.consumer.config import Protocol
from eskit.consumer.delivery.worker import Worker
from eskit.consumer.group.membership import BATCH, PATIENCE_S
from eskit.errors import Unavailable
from eskit.events import Event
from eskit.settings import Settings
from tests.integration.consuming import (
    PARTITIONS,
    Seen,
    Topic,
    all_saved,
    consuming,
    partition_of,
    positions_of,
    ready,
    saved,
    stop,
)
from tests.services import until


async def test_the_offset_stays_while_the_handler_is_at_work(config: Settings, topic: Topic) -> None:
    topic.add_positions([100, 200, 300])  # one originator, one partition
    number = partition_of(100)
    gate, entered = asyncio.Event(), asyncio.Event()
    consumer = Consumer("billing", tuning=Tuning(commit_interval_s=0.05))

    @consumer.on()
    async def wait(event: Event) -> None:
        if event.position == 200:
            entered.set()
            await gate.wait()

    async with consuming(config, consumer):
        await asyncio.wait_for(entered.wait(), 30)
        await until(lambda: all_saved(config, "billing", [100]))
        assert (await saved(config, "billing"))[number] == (1, 100)
        gate.set()
        await until(lambda: all_saved(config, "billing", [300]))


async def test_a_failing_handler_stalls_its_partition_only(config: Settings, topic: Topic) -> None:
    """A bug of old: an error of a handler stopped everything."""
    topic.add_positions(range(1, 401))
    broken = True
    tuning = Tuning(retry_least_s=0.01, retry_most_s=0.1)
    consumer = Consumer("billing", on_error={ValueError: Retry(attempts=None)}, tuning=tuning)
    seen = Seen()
    calls: list[int] = []

    @consumer.on("Thing.*")
    async def first(event: Event) -> None:
        calls.append(event.position)

    @consumer.on_record()
    async def second(record: Record) -> None:
        if broken and record.event.position == 150:
            raise ValueError("no such account")
        seen.records.append((record.partition, record.event.position))

    stalled = partition_of(150)
    others = [p for p in range(1, 401) if partition_of(p) != stalled]
    before = [p for p in positions_of(stalled, range(1, 401)) if p < 150]
    async with consuming(config, consumer):
        await until(lambda: seen.has(others + before) and consumer.stats.failed > 3)
        await until(lambda: all_saved(config, "billing", [others[-1], before[-1]]))
        assert seen.of(stalled) == before
        with pytest.raises(Unavailable, match=f"partition {stalled} stalls at event 150 .*no such account"):
            await consumer.check()
        broken = False
        await until(lambda: seen.has(range(1, 401)))
        await until(lambda: ready(consumer))
    assert seen.in_order()
    assert calls.count(150) == 1  # a handler that has returned is not called again for another's error


async def test_a_handler_that_is_left_by_what_it_awaits_is_tried_again(config: Settings, topic: Topic) -> None:
    topic.add_positions([1])
    consumer = Consumer("billing", tuning=Tuning(retry_least_s=0.01))
    attempts: list[int] = []

    @consumer.on()
    async def handler(event: Event) -> None:
        attempts.append(event.position)
        if len(attempts) == 1:
            raise asyncio.CancelledError

    async with consuming(config, consumer):
        await until(lambda: all_saved(config, "billing", [1]))
    assert attempts == [1, 1]


async def test_stopping_during_a_stall_is_quick_and_commits_nothing_of_it(config: Settings, topic: Topic) -> None:
    topic.add_positions([100, 200])
    consumer = Consumer("billing", tuning=Tuning(retry_least_s=60, retry_most_s=60))

    @consumer.on()
    async def handler(event: Event) -> None:
        if event.position == 200:
            raise ValueError

    async with consuming(config, consumer) as [task]:
        await until(lambda: consumer.stats.failed)
        async with asyncio.timeout(5):
            await stop(consumer, task)
    assert (await saved(config, "billing"))[partition_of(100)] == (1, 100)


async def test_cancelling_lets_the_event_at_work_finish_and_commits_it(config: Settings, topic: Topic) -> None:
    topic.add_positions([100])
    gate, entered = asyncio.Event(), asyncio.Event()
    consumer = Consumer("billing")

    @consumer.on()
    async def handler(_: Event) -> None:
        entered.set()
        await gate.wait()

    task = asyncio.create_task(consumer.run(config))
    await asyncio.wait_for(entered.wait(), 30)
    task.cancel()
    await until(lambda: consumer.runtime is not None and all(w.stopped for w in consumer.runtime.workers.values()))
    task.cancel()  # a second Ctrl-C changes nothing
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 20)
    assert (await saved(config, "billing"))[partition_of(100)] == (1, 100)


async def test_a_handler_that_does_not_end_is_cancelled_and_its_event_not_committed(
    config: Settings, topic: Topic
) -> None:
    topic.add_positions([100])
    entered = asyncio.Event()
    consumer = Consumer("billing", tuning=Tuning(grace_s=0.2))

    @consumer.on()
    async def handler(_: Event) -> None:
        entered.set()
        await asyncio.Event().wait()

    async with consuming(config, consumer):
        await asyncio.wait_for(entered.wait(), 30)
    assert (await saved(config, "billing"))[partition_of(100)] == (None, None)


async def test_a_slow_handler_holds_the_topic_back(config: Settings, topic: Topic, protocol: Protocol) -> None:
    """Little is held in memory, partitions are paused and go on, the order stays."""
    topic.add_positions(range(1, 2001))
    consumer = Consumer("billing", protocol=protocol, tuning=Tuning(queue_events=20))
    seen = Seen()
    longest = 0
    slow = partition_of(1)

    @consumer.on_record()
    async def handler(record: Record) -> None:
        nonlocal longest
        assert consumer.runtime is not None
        longest = max(longest, len(consumer.runtime.workers[record.partition].inbox))
        if record.partition == slow:
            await asyncio.sleep(0.002)
        seen.records.append((record.partition, record.event.position))

    async with consuming(config, consumer):
        await until(lambda: seen.has(range(1, 2001)), 60)
    assert seen.in_order()
    assert len(seen.records) == 2000
    assert longest < 20 + 2 * BATCH


async def test_partitions_that_were_paused_given_away_and_come_back_are_read_again(
    config: Settings, topic: Topic, protocol: Protocol
) -> None:
    topic.add_positions(range(1, 401))
    gate = asyncio.Event()
    seen = Seen()
    first, second = (
        Consumer("billing", protocol=protocol, tuning=Tuning(queue_events=5, grace_s=0.1)) for _ in range(2)
    )

    async def handler(record: Record) -> None:
        await gate.wait()
        seen.records.append((record.partition, record.event.position))

    for consumer in (first, second):
        consumer.on_record()(handler)
    async with consuming(config, first):
        await until(lambda: len(first.partitions) == PARTITIONS)
        await until(lambda: all(len(worker.inbox) for worker in workers(first)))
        await asyncio.sleep(2 * PATIENCE_S)  # full for so long, they are paused
        async with consuming(config, second):
            await until(lambda: len(second.partitions) == PARTITIONS // 2)
        await until(lambda: len(first.partitions) == PARTITIONS)
        gate.set()
        await until(lambda: seen.has(range(1, 401)), 15)


def workers(consumer: Consumer) -> list[Worker]:
    return list(consumer.runtime.workers.values()) if consumer.runtime else []
