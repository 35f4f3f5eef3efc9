"""Members that come, go, are slow, keep their place: with both protocols of Kafka's consumer groups."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from eskit.client.offsets import Offsets
from eskit.consumer import Consumer, Record, Tuning
from eskit.consumer.config import Protocol
from eskit.consumer.metrics import ConsumerCollector
from eskit.errors import Fenced
from eskit.offsets import Commit
from eskit.settings import Settings
from tests.integration.consuming import (
    PARTITIONS,
    Seen,
    Topic,
    all_saved,
    collect,
    consuming,
    last_of,
    partition_of,
    positions_of,
    ready,
    stop,
)
from tests.services import until

pytestmark = pytest.mark.real_kafka

# Of the brokers that tests start, with the protocol `consumer`; for the other one we choose the same.
SESSION_S = 6.0


def member(protocol: Protocol, seen: Seen, tuning: Tuning = Tuning()) -> Consumer:  # noqa: B008 - immutable
    consumer = Consumer("billing", protocol=protocol, session_timeout_s=SESSION_S, tuning=tuning)
    collect(consumer, into=seen)
    return consumer


def shared(*members: Consumer) -> bool:
    """Whether each partition is read by one of them, and each of them has one."""
    sets = [m.partitions for m in members]
    return all(sets) and sorted(p for one in sets for p in one) == list(range(PARTITIONS))


async def test_three_members_share_hand_over_and_inherit_without_a_repetition(
    config: Settings, topic: Topic, protocol: Protocol
) -> None:
    seen = Seen()
    first, second, third = (member(protocol, seen) for _ in range(3))
    async with consuming(config, first) as [running]:
        topic.add_positions(range(1, 301))
        await until(lambda: seen.has(range(1, 301)))
        async with consuming(config, second, third):
            topic.add_positions(range(301, 601))
            await until(lambda: shared(first, second, third))
            topic.add_positions(range(601, 901))
            await until(lambda: seen.has(range(1, 901)))
            await stop(first, running)
            await until(lambda: shared(second, third))
            topic.add_positions(range(901, 1201))
            await until(lambda: seen.has(range(1, 1201)))
            await until(lambda: all_saved(config, "billing", last_of(range(1, 1201))))
    assert sorted(seen.positions) == list(range(1, 1201))
    assert seen.in_order()
    assert first.stats.rebalances >= 3  # given all, some taken, the rest taken


@pytest.mark.slow
async def test_a_handler_slower_than_the_session_costs_no_membership(
    config: Settings, topic: Topic, protocol: Protocol
) -> None:
    topic.add_positions(range(1, 101))
    gate, entered = asyncio.Event(), asyncio.Event()
    seen = Seen()
    slow, other = (Consumer("billing", protocol=protocol, session_timeout_s=SESSION_S) for _ in range(2))
    collect(other, into=seen)

    @slow.on_record()
    async def handler(record: Record) -> None:
        entered.set()
        await gate.wait()
        seen.records.append((record.partition, record.event.position))

    async with consuming(config, other):
        await until(lambda: len(other.partitions) == PARTITIONS and seen.has(range(1, 101)))
        async with consuming(config, slow):
            await until(lambda: shared(slow, other))
            topic.add_positions(range(101, 201))
            await asyncio.wait_for(entered.wait(), 30)
            owned, rebalances = slow.partitions, slow.stats.rebalances
            await asyncio.sleep(1.5 * SESSION_S)  # the time itself is what is tried
            assert (slow.partitions, slow.stats.rebalances) == (owned, rebalances)
            gate.set()
            await until(lambda: all_saved(config, "billing", last_of(range(1, 201))))
    assert sorted(seen.positions) == list(range(1, 201))


async def test_a_partition_moves_though_its_handler_does_not_end(
    config: Settings, topic: Topic, protocol: Protocol
) -> None:
    """Its handler is cancelled after the grace, what it did not finish is the next owner's, in order."""
    topic.add_positions(range(1, 201))
    stuck = Consumer("billing", protocol=protocol, tuning=Tuning(grace_s=0.2))
    cancelled: list[tuple[int, int]] = []

    @stuck.on_record()
    async def handler(record: Record) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append((record.partition, record.event.position))
            raise

    seen = Seen()
    next_owner = member(protocol, seen)
    async with consuming(config, stuck) as [running]:
        await until(lambda: len(stuck.partitions) == PARTITIONS)
        async with consuming(config, next_owner):
            await until(lambda: shared(stuck, next_owner))
            assert {number for number, _ in cancelled} >= next_owner.partitions
            await stop(stuck, running)
            await until(lambda: all_saved(config, "billing", last_of(range(1, 201))))
    assert sorted(seen.positions) == list(range(1, 201))
    assert seen.in_order()


@pytest.mark.parametrize("instance_id", [None, "billing-0"])
async def test_who_is_fenced_drops_the_partition_rejoins_and_goes_on(
    config: Settings, topic: Topic, protocol: Protocol, instance_id: str | None
) -> None:
    """Somebody claims a partition behind the group's back: our commit gets 409, the group gives the partition anew."""
    topic.add_positions(range(1, 201))
    consumer = Consumer("billing", protocol=protocol, instance_id=instance_id, tuning=Tuning(commit_interval_s=0.05))
    seen = collect(consumer)
    gone: list[set[int]] = []

    @consumer.on_revoked
    async def note(partitions: set[int]) -> None:
        gone.append(partitions)

    number = partition_of(100)
    async with consuming(config, consumer), Offsets(config.offsets_url) as offsets:
        await until(lambda: all_saved(config, "billing", last_of(range(1, 201))))
        [claim] = await offsets.claim("billing", topic.name, [number], "a stranger")
        topic.add_positions(range(201, 401))
        await until(lambda: consumer.stats.fenced)
        await until(lambda: seen.has(range(1, 401)))
        await until(lambda: all_saved(config, "billing", last_of(range(1, 401))))
        assert {number} in gone
        with pytest.raises(Fenced):  # now the stranger is the zombie
            await offsets.commit("billing", Commit(topic.name, number, 10_000, epoch=claim.epoch))
        [state] = [p for p in (await offsets.consumer("billing")).partitions if p.partition == number]
        assert state.epoch > claim.epoch
    others = [p for p in seen.positions if partition_of(p) != number]
    assert sorted(others) == [p for p in range(1, 401) if partition_of(p) != number]


async def test_a_group_moves_from_one_protocol_to_the_other_while_it_works(config: Settings, topic: Topic) -> None:
    seen = Seen()
    old, new = member("classic", seen), member("consumer", seen)
    async with consuming(config, old) as [running]:
        topic.add_positions(range(1, 301))
        await until(lambda: seen.has(range(1, 301)))
        async with consuming(config, new):
            await until(lambda: shared(old, new))
            topic.add_positions(range(301, 601))
            await until(lambda: seen.has(range(1, 601)))
            await stop(old, running)
            await until(lambda: shared(new))
            topic.add_positions(range(601, 901))
            await until(lambda: all_saved(config, "billing", last_of(range(1, 901))))
            await until(lambda: ready(new))
    assert sorted(seen.positions) == list(range(1, 901))


async def test_lag_is_what_is_still_to_be_done(config: Settings, topic: Topic, protocol: Protocol) -> None:
    """Without a word to the brokers: by what their answers to fetches say."""
    topic.add_positions(range(1, 201))
    gate = asyncio.Event()
    consumer = Consumer("billing", protocol=protocol)

    @consumer.on_record()
    async def handler(record: Record) -> None:
        if record.event.position > 100:
            await gate.wait()

    registry = CollectorRegistry()
    registry.register(ConsumerCollector(consumer))

    def lags() -> list[float | None]:
        labels = [{"consumer": "billing", "partition": str(n)} for n in range(PARTITIONS)]
        return [registry.get_sample_value("eskit_consumer_lag", label) for label in labels]

    to_do = [float(len(positions_of(n, range(101, 201)))) for n in range(PARTITIONS)]
    async with consuming(config, consumer):
        await until(lambda: lags() == to_do, say=lags)
        gate.set()
        await until(lambda: lags() == [0.0] * PARTITIONS, say=lags)
        topic.add_positions(range(201, 301))
        await until(lambda: all_saved(config, "billing", last_of(range(1, 301))))
        await until(lambda: lags() == [0.0] * PARTITIONS, say=lags)
