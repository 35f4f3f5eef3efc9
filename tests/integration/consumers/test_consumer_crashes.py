"""P5 against crashes: processes that are killed, and one that sleeps until its partitions are somebody else's."""

from __future__ import annotations

import asyncio
import signal
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from eskit.consumer.config import Protocol
from eskit.settings import Settings
from infra.local.broker import KafkaBroker
from tests.integration.consuming import (
    PARTITIONS,
    Topic,
    all_saved,
    last_of,
    partition_of,
    positions_of,
    saved,
)
from tests.services import ServiceProcess, until

pytestmark = [pytest.mark.real_kafka, pytest.mark.slow]

KILLS = 20


class Effects:
    """The file that the processes write: (writer, partition, position), in the order of writing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def lines(self) -> list[tuple[int, int, int]]:
        return [(a, b, c) for a, b, c in (map(int, line.split()) for line in self.path.read_text().splitlines())]

    def of(self, number: int) -> list[int]:
        """The positions of a partition."""
        return [position for _, where, position in self.lines() if where == number]

    def by(self, member: Member) -> int:
        """How many a member has written."""
        return sum(number == member.number for number, _, _ in self.lines())

    def more_by(self, member: Member, *, than: int) -> bool:
        return self.by(member) > than

    def complete(self, positions: range) -> bool:
        return {position for _, _, position in self.lines()} >= set(positions)


class Member(ServiceProcess):
    """A member of the group, which writes its number into its effects."""

    def __init__(self, number: int, config: Settings, effects: Effects, **environ: str) -> None:
        environ |= {"WRITER": str(number), "EFFECTS": str(effects.path)}
        super().__init__("tests.integration.consumer_program", config, "consumer_port", **environ)
        self.number = number


class Members:
    """Starts members, ends them all."""

    def __init__(self, config: Settings, effects: Effects, protocol: Protocol) -> None:
        self._all: list[Member] = []
        self._config = config
        self._effects = effects
        self._protocol = protocol

    def start(self, **environ: str) -> Member:
        environ["PROTOCOL"] = self._protocol
        member = Member(len(self._all), self._config, self._effects, **environ)
        self._all.append(member)
        member.start()
        return member

    def close(self) -> None:
        for member in self._all:
            member.close()


@pytest.fixture
def effects(tmp_path: Path) -> Effects:
    return Effects(tmp_path / "effects")


@pytest.fixture
def members(config: Settings, effects: Effects, protocol: Protocol) -> Iterator[Members]:
    with closing(Members(config, effects, protocol)) as members:
        yield members


async def no_offset_ahead(config: Settings, effects: Effects, until_position: int) -> None:
    """What is saved was done."""
    offsets = await saved(config, "billing")
    for number, (_, position) in offsets.items():
        wanted = [p for p in positions_of(number, range(1, until_position + 1)) if p <= (position or 0)]
        assert set(wanted) <= set(effects.of(number)), f"partition {number} was saved up to {position}"


class Publisher:
    """Publishes a few events now and then, as long as it is inside."""

    def __init__(self, topic: Topic) -> None:
        self.last = 0
        self._topic = topic

    async def run(self) -> None:
        while True:
            self._topic.add_positions(range(self.last + 1, self.last + 51))
            self.last += 50
            await asyncio.sleep(0.1)


async def test_processes_killed_20_times_lose_nothing_and_keep_the_order(
    config: Settings, effects: Effects, members: Members, kafka_broker: KafkaBroker
) -> None:
    publisher = Publisher(Topic(config, kafka_broker))
    publishing = asyncio.create_task(publisher.run())
    living = deque(members.start() for _ in range(PARTITIONS))
    for _ in range(KILLS):
        victim = living.popleft()
        await until(partial(effects.more_by, victim, than=effects.by(victim)), 60, victim.output)
        victim.kill()
        await no_offset_ahead(config, effects, publisher.last)
        living.append(members.start())
    publishing.cancel()
    positions = range(1, publisher.last + 1)
    await until(lambda: effects.complete(positions), 90)
    await until(lambda: all_saved(config, "billing", last_of(positions)), 30)
    for number in range(PARTITIONS):
        # What was not committed is done again; but nothing is ever done before what comes before it.
        assert list(dict.fromkeys(effects.of(number))) == positions_of(number, positions)


async def test_a_static_member_that_is_killed_comes_back_to_its_partitions(
    config: Settings, effects: Effects, members: Members, kafka_broker: KafkaBroker, protocol: Protocol
) -> None:
    """Classic: at once, the others do not notice. With KIP-848 it waits until its session is over."""
    topic = Topic(config, kafka_broker)
    one, other = members.start(INSTANCE_ID="billing-0"), members.start(INSTANCE_ID="billing-1")
    publisher = Publisher(topic)
    publishing = asyncio.create_task(publisher.run())
    await until(lambda: effects.by(one) > 50 and effects.by(other) > 50, 60, one.output)
    claims = other.output().count("partitions claimed")
    one.kill()
    again = members.start(INSTANCE_ID="billing-0")
    await until(lambda: effects.by(again) > 50, 60, again.output)
    if protocol == "classic":
        assert other.output().count("partitions claimed") == claims
    publishing.cancel()
    positions = range(1, publisher.last + 1)
    await until(lambda: all_saved(config, "billing", last_of(positions)), 60, again.output)
    for number in range(PARTITIONS):
        assert list(dict.fromkeys(effects.of(number))) == positions_of(number, positions)
    assert await asyncio.to_thread(again.stop) == await asyncio.to_thread(other.stop) == 0


async def test_an_owner_that_slept_too_long_moves_no_offset(
    config: Settings, effects: Effects, members: Members, kafka_broker: KafkaBroker
) -> None:
    topic = Topic(config, kafka_broker)
    # It commits seldom, so that it sleeps with something it still wants to commit.
    zombie = members.start(COMMIT_S="20")
    topic.add_positions(range(1, 401))
    await until(lambda: effects.by(zombie) > 100, 60, zombie.output)
    zombie.signal(signal.SIGSTOP)
    owner = members.start()
    topic.add_positions(range(401, 801))
    await until(lambda: all_saved(config, "billing", last_of(range(1, 801))), 60, owner.output)
    before = await saved(config, "billing")
    assert before == {
        n: (len(positions_of(n, range(1, 801))), positions_of(n, range(1, 801))[-1]) for n in range(PARTITIONS)
    }
    zombie.signal(signal.SIGCONT)
    await until(lambda: "partitions lost" in zombie.output() or "fenced" in zombie.output(), 30, zombie.output)
    await zombie.ready()
    topic.add_positions(range(801, 1201))
    await until(lambda: all_saved(config, "billing", last_of(range(1, 1201))), 60, owner.output)
    assert effects.complete(range(1, 1201))
    after = [p for _, _, p in effects.lines() if p > 800]
    assert sorted(after) == list(range(801, 1201))  # once they agree who has what, nothing is done twice
    assert await asyncio.to_thread(zombie.stop) == await asyncio.to_thread(owner.stop) == 0
    assert partition_of(1) in before
