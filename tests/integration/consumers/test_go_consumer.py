"""The example consumer in Go against the kit: the contract is Kafka and REST only, and another language can keep it."""

from __future__ import annotations

import asyncio
import signal
from collections import deque
from functools import partial

import pytest

from eskit.client.offsets import Offsets
from eskit.errors import Fenced
from eskit.kafka.murmur2 import partition
from eskit.kafka.topics import topic_id
from eskit.offsets import Commit
from eskit.settings import Settings
from tests.integration.consuming import (
    PARTITIONS,
    Topic,
    all_saved,
    last_of,
    positions_of,
    saved,
)
from tests.integration.go_consumer import Effects, Go, Members, Publisher
from tests.services import until

pytestmark = pytest.mark.slow

KILLS = 4


def test_it_is_as_go_programmers_expect(go: Go) -> None:
    assert go.unformatted() == ""
    go.run("vet", "./...")
    go.run("test", "./...")


async def test_processes_that_are_killed_lose_nothing_and_begin_at_the_last_commit(
    config: Settings, effects: Effects, members: Members, topic: Topic
) -> None:
    publisher = Publisher(topic)
    publishing = asyncio.create_task(publisher.run())
    living = deque([members.start(), members.start()])
    for _ in range(KILLS):
        victim = living.popleft()
        await until(partial(effects.more_by, victim, than=effects.by(victim)), 60, victim.output)
        victim.kill()
        committed = await saved(config, "billing")
        before = len(effects.lines())
        for number, (_, position) in committed.items():
            # What is saved was done …
            done = [p for p in positions_of(number, range(1, publisher.last + 1)) if p <= (position or 0)]
            assert set(done) <= set(effects.of(number))
        living.append(members.start())
        await until(partial(effects.more_by, living[-1], than=0), 60, living[-1].output)
        for line in effects.lines()[before:]:
            # … and is not done again.
            assert line.position > (committed.get(line.partition, (0, 0))[1] or 0)
    publishing.cancel()
    positions = range(1, publisher.last + 1)
    await until(lambda: effects.complete(positions), 60, living[-1].output)
    await until(lambda: all_saved(config, "billing", last_of(positions)), 30)
    for number in range(PARTITIONS):
        # What was not committed is done again; but nothing is ever done before what comes before it.
        assert list(dict.fromkeys(effects.of(number))) == positions_of(number, positions)


async def test_members_that_come_and_leave_in_order_repeat_nothing(
    config: Settings, effects: Effects, members: Members, topic: Topic
) -> None:
    publisher = Publisher(topic)
    publishing = asyncio.create_task(publisher.run())
    first = members.start()
    await until(lambda: effects.by(first) > 100, 60, first.output)
    second = members.start()
    await until(lambda: effects.by(second) > 100, 60, second.output)
    assert await asyncio.to_thread(first.stop) == 0, first.output()
    publishing.cancel()
    positions = range(1, publisher.last + 1)
    await until(lambda: effects.complete(positions), 60, second.output)
    assert await asyncio.to_thread(second.stop) == 0, second.output()
    for number in range(PARTITIONS):
        assert effects.of(number) == positions_of(number, positions)
    # All is committed and given back, when they are gone.
    async with Offsets(config.offsets_url) as client:
        state = await client.consumer("billing")
    assert {p.partition: p.position for p in state.partitions} == dict(enumerate(last_of(positions)))
    assert {p.member for p in state.partitions} == {None}
    assert {p.topic_id for p in state.partitions} == {await asyncio.to_thread(topic_id, config, topic.name)}


async def test_a_member_that_slept_too_long_moves_no_offset(
    config: Settings, effects: Effects, members: Members, topic: Topic
) -> None:
    zombie = members.start()
    topic.add_positions(range(1, 401))
    await until(lambda: effects.by(zombie) > 0, 60, zombie.output)
    zombie.signal(signal.SIGSTOP)
    owner = members.start()
    topic.add_positions(range(401, 801))
    await until(lambda: all_saved(config, "billing", last_of(range(1, 801))), 60, owner.output)
    zombie.signal(signal.SIGCONT)
    await until(lambda: zombie.output().count("partitions claimed") > 1, 60, zombie.output)
    before = len(effects.lines())
    topic.add_positions(range(801, 1201))
    await until(lambda: all_saved(config, "billing", last_of(range(1, 1201))), 60, owner.output)
    assert effects.complete(range(1, 1201))
    # Once they agree who has what, nothing is done twice.
    assert sorted(line.position for line in effects.lines()[before:] if line.position > 800) == list(range(801, 1201))


async def test_whoever_claims_later_fences_across_languages(
    config: Settings, effects: Effects, members: Members, topic: Topic
) -> None:
    topic.add_positions(range(1, 101))
    every = range(PARTITIONS)
    async with Offsets(config.offsets_url) as client:
        claims = await client.claim("billing", topic.name, every, "in Python")
        member = members.start()
        await until(lambda: all_saved(config, "billing", last_of(range(1, 101))), 60, member.output)
        for claim in claims:
            with pytest.raises(Fenced):
                await client.commit("billing", Commit(topic.name, claim.partition, 10_000, 10_000, claim.epoch))
        # The other way round: the member stops, asks the group, and takes what it is given.
        await client.claim("billing", topic.name, every, "in Python")
    topic.add_positions(range(101, 201))
    await until(lambda: all_saved(config, "billing", last_of(range(1, 201))), 60, member.output)
    assert "fenced: somebody else has claimed the partition" in member.output()
    assert effects.complete(range(1, 201))
    assert await asyncio.to_thread(member.stop) == 0


async def test_it_begins_at_the_offset_of_the_claim(
    config: Settings, effects: Effects, members: Members, topic: Topic
) -> None:
    positions = range(1, 101)
    topic.add_positions(positions)
    async with Offsets(config.offsets_url) as client:
        [claim] = await client.claim("billing", topic.name, [1], "somebody")
        # Without a position, so that nothing but the offset can tell what is done.
        await client.commit("billing", Commit(topic.name, 1, 5, epoch=claim.epoch))
    member = members.start()
    await until(lambda: all_saved(config, "billing", last_of(positions)), 60, member.output)
    assert effects.of(1) == positions_of(1, positions)[5:]
    assert effects.of(2) == positions_of(2, positions)


async def test_it_knows_the_partition_of_an_originator(effects: Effects, members: Members, topic: Topic) -> None:
    ids = ["thing-1", "müller-42", "東京都/渋谷区", "🚀"]
    for ident in ids:
        member = members.start("-where", ident)
        assert await asyncio.to_thread(member.wait, 30.0) == 0, member.output()
    printed = effects.path.read_text().split()
    assert printed == [str(partition(ident, PARTITIONS)) for ident in ids]
