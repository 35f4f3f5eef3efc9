"""Static members: a restart that nobody notices, and two processes with one `instance_id`."""

from __future__ import annotations

import asyncio

import pytest

from eskit.consumer import Consumer
from eskit.consumer.config import Protocol
from eskit.consumer.group import poller
from eskit.errors import SettingsError, Unavailable
from eskit.settings import Settings
from tests.integration.consuming import (
    PARTITIONS,
    Seen,
    Topic,
    all_saved,
    collect,
    consuming,
    last_of,
    ready,
    stop,
)
from tests.services import until

pytestmark = pytest.mark.real_kafka


def static(protocol: Protocol, instance_id: str, seen: Seen) -> Consumer:
    consumer = Consumer("billing", protocol=protocol, instance_id=instance_id)
    collect(consumer, into=seen)
    return consumer


async def test_a_restart_keeps_its_partitions_and_others_do_not_notice(
    config: Settings, topic: Topic, protocol: Protocol
) -> None:
    seen = Seen()
    first, other = static(protocol, "billing-0", seen), static(protocol, "billing-1", seen)
    async with consuming(config, other):
        async with consuming(config, first) as [running]:
            await until(lambda: len(first.partitions) == len(other.partitions) == PARTITIONS // 2)
            topic.add_positions(range(1, 301))
            await until(lambda: seen.has(range(1, 301)))
            kept, rebalances = first.partitions, other.stats.rebalances
            await stop(first, running)
        topic.add_positions(range(301, 601))
        again = static(protocol, "billing-0", seen)
        async with consuming(config, again):
            await until(lambda: all_saved(config, "billing", last_of(range(1, 601))))
            assert again.partitions == kept
            assert other.stats.rebalances == rebalances
    assert sorted(seen.positions) == list(range(1, 601))
    assert seen.in_order()


async def test_the_older_of_two_with_one_id_ends_and_says_why(config: Settings, topic: Topic) -> None:
    """The classic protocol's way: the newcomer has the place, and keeps it."""
    seen = Seen()
    older, newer = static("classic", "billing-0", seen), static("classic", "billing-0", seen)
    running = asyncio.create_task(older.run(config))
    await until(lambda: len(older.partitions) == PARTITIONS)
    async with consuming(config, newer):
        with pytest.raises(SettingsError, match="instance_id 'billing-0': another process") as caught:
            await asyncio.wait_for(running, 60)
        assert caught.value.field == "instance_id"
        topic.add_positions(range(1, 201))
        await until(lambda: all_saved(config, "billing", last_of(range(1, 201))))
        await until(lambda: ready(newer))
    assert sorted(seen.positions) == list(range(1, 201))


async def test_the_newer_of_two_with_one_id_waits_for_its_place(config: Settings, topic: Topic) -> None:
    """The way of the protocol `consumer`: who is there stays, and a restart after a crash waits for the end of it."""
    seen = Seen()
    older, newer = static("consumer", "billing-0", seen), static("consumer", "billing-0", seen)
    async with consuming(config, older) as [running]:
        await until(lambda: len(older.partitions) == PARTITIONS)
        async with consuming(config, newer):
            await until(lambda: held(newer))
            topic.add_positions(range(1, 201))
            await until(lambda: all_saved(config, "billing", last_of(range(1, 201))))
            assert (newer.partitions, older.stats.handled) == (set(), 200)
            await stop(older, running)
            topic.add_positions(range(201, 401))
            await until(lambda: all_saved(config, "billing", last_of(range(1, 401))))
            await until(lambda: ready(newer))
    assert sorted(seen.positions) == list(range(1, 401))


async def test_the_newer_of_two_with_one_id_does_not_wait_for_ever(
    config: Settings, topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert topic.name
    monkeypatch.setattr(poller, "HELD_MOST_S", 1.0)
    older, newer = static("consumer", "billing-0", Seen()), static("consumer", "billing-0", Seen())
    async with consuming(config, older):
        await until(lambda: len(older.partitions) == PARTITIONS)
        rebalances = older.stats.rebalances
        with pytest.raises(SettingsError, match="instance_id 'billing-0' is in use") as caught:
            await asyncio.wait_for(newer.run(config), 60)
        assert caught.value.field == "instance_id"
        await until(lambda: ready(older))
        assert older.stats.rebalances == rebalances


async def held(consumer: Consumer) -> bool:
    try:
        await consumer.check()
    except Unavailable as error:
        return "instance_id 'billing-0' is in use" in error.detail
    return False
