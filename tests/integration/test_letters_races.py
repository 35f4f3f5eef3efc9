"""Dead letters: owners come and go, operators decide at any moment, and nothing is lost, stuck, or out of order."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable

import psycopg
import pytest

from eskit.errors import Fenced
from eskit.letters import DiscardLetters, FailedAgain, Letter, Owner, RetryLetters
from eskit.settings import Settings
from tests.integration.lettering import CAUSE, CONSUMER, TOPIC, Desk, brief, letter, service
from tests.services import until

ORPHANS = """
SELECT count(*) FROM offsets.letters
 WHERE NOT EXISTS (SELECT FROM offsets.parked
                    WHERE parked.consumer = letters.consumer AND parked.topic = letters.topic
                      AND parked.partition = letters.partition AND parked.key = letters.key)
"""


@pytest.fixture
async def desks(config: Settings) -> AsyncIterator[list[Desk]]:
    """Two services on one database."""
    async with service(config) as one, service(config) as other:
        yield [one, other]


CALLS: dict[str, Callable[[Desk, Owner], Awaitable[object]]] = {
    "set_aside": lambda desk, own: desk.set_aside(CONSUMER, own, [letter(8, "new"), letter(7)]),
    "done": lambda desk, own: desk.done(CONSUMER, own, 7),
    "failed": lambda desk, own: desk.failed(CONSUMER, FailedAgain(own, 7, "order-7", CAUSE)),
    "unpark": lambda desk, own: desk.unpark(CONSUMER, own, "empty"),
}


@pytest.mark.parametrize("call", CALLS)
async def test_who_is_not_the_owner_any_more_changes_nothing(desks: list[Desk], call: str) -> None:
    one, other = desks
    old = await one.claim()
    await one.set_aside(CONSUMER, old, [letter(7), letter(9, "empty")])
    await one.done(CONSUMER, old, 9)
    await one.retry(CONSUMER, RetryLetters(all=True))
    new = await other.claim(member="other")
    before = (await one.everything(), await one.keys())
    for epoch in (old.epoch, new.epoch + 1, 0):
        with pytest.raises(Fenced) as caught:
            await CALLS[call](one, Owner(TOPIC, 0, epoch))
        assert caught.value.extra["epoch"] == new.epoch
    with pytest.raises(Fenced) as caught:
        await CALLS[call](one, Owner(TOPIC, 5, new.epoch))
    assert caught.value.extra["epoch"] == 0
    assert (await one.everything(), await one.keys()) == before
    await CALLS[call](one, new)
    assert (await one.everything(), await one.keys()) != before


async def test_a_claim_waits_for_what_its_predecessor_is_writing(desks: list[Desk], config: Settings) -> None:
    """So whoever gets a partition sees all that was set aside before: none comes afterwards."""
    old = await desks[0].claim()
    async with await psycopg.AsyncConnection.connect(config.database_url) as connection:
        # Keeps the old owner's call from ending after it has begun: it needs the same row.
        await connection.execute(
            "INSERT INTO offsets.parked (consumer, topic, partition, key, first_offset)"
            " VALUES (%s, %s, 0, 'order-7', 7)",
            (CONSUMER, TOPIC),
        )
        writing = asyncio.create_task(desks[0].set_aside(CONSUMER, old, [letter(7)]))
        await waits_in_the_database(connection, 1)
        claiming = asyncio.create_task(desks[1].claim(member="other"))
        await waits_in_the_database(connection, 2)
        assert not claiming.done()
        await connection.rollback()
    await writing
    await claiming
    assert brief(await desks[1].everything()) == [(7, "order-7", True)]


async def waits_in_the_database(connection: psycopg.AsyncConnection, wanted: int) -> None:
    """Until so many statements wait for a lock."""

    async def waiting() -> bool:
        count = "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted"
        return await (await connection.execute(count)).fetchone() == (wanted,)

    await until(waiting)


async def test_a_letter_thrown_away_while_it_is_tried_holds_up_nobody(desks: list[Desk]) -> None:
    """The owner tries it, it is thrown away, then it fails: what waits behind it is still wanted back."""
    own = await desks[0].claim()
    await desks[0].set_aside(CONSUMER, own, [letter(7), letter(9, failed=False)])
    await desks[0].retry(CONSUMER, RetryLetters(all=True))
    assert await desks[1].discard(CONSUMER, DiscardLetters("order-7")) == 1
    await desks[0].failed(CONSUMER, FailedAgain(own, 7, "order-7", CAUSE))
    assert brief(await desks[0].everything()) == [(9, "order-7", False)]
    assert [key.retry for key in await desks[0].keys()] == [True]


class World:
    """One partition with a poisoned topic, its owners one after the other, and operators."""

    def __init__(self, desks: list[Desk], seed: int) -> None:
        self.desks = desks
        self.dice = random.Random(seed)
        self.poison = 0.5
        self.next_offset = 0
        self.handled: dict[str, list[int]] = defaultdict(list)
        self.keys: dict[int, str] = {}

    def desk(self) -> Desk:
        return self.dice.choice(self.desks)

    async def own(self, own: Owner) -> None:
        """An owner: reads on, sets aside, works off what is wanted back, until somebody else claims."""
        try:
            waits = {key.key for key in await self.desk().keys(topic=TOPIC, partition=0)}
            while True:
                await self.read(own, waits)
                for key in await self.desk().keys(topic=TOPIC, partition=0, retry=True):
                    await self.drain(own, key.key, waits)
        except Fenced:
            return

    async def read(self, own: Owner, waits: set[str]) -> None:
        """Some records: those of keys that wait, and those that fail, are set aside; the others handled."""
        aside = []
        for offset in range(self.next_offset, self.next_offset + self.dice.randrange(6)):
            key = self.keys[offset] = f"key-{self.dice.randrange(5)}"
            failed = self.dice.random() < self.poison / 2
            if key in waits or failed:
                waits.add(key)
                aside.append(letter(offset, key, failed=failed))
            else:
                self.handled[key].append(offset)
            self.next_offset = offset + 1
        if aside:
            await self.set_aside(own, aside)

    async def set_aside(self, own: Owner, aside: list[Letter]) -> None:
        try:
            await self.desk().set_aside(CONSUMER, own, aside)
        except Fenced:
            # Not kept, so the next owner gets the records again.
            self.next_offset = aside[0].offset
            for key, offsets in self.handled.items():
                self.handled[key] = [o for o in offsets if o < self.next_offset]
            raise

    async def drain(self, own: Owner, key: str, waits: set[str]) -> None:
        """As long as they go well, in their order."""
        while page := await self.desk().everything(topic=TOPIC, partition=0, key=key, with_record=True):
            for kept in page:
                if self.dice.random() < self.poison:
                    await self.desk().failed(CONSUMER, FailedAgain(own, kept.offset, key, CAUSE))
                    return
                self.handled[key].append(kept.offset)
                await self.desk().done(CONSUMER, own, kept.offset)
        if await self.desk().unpark(CONSUMER, own, key):
            waits.discard(key)

    async def operate(self, rounds: int) -> None:
        """An operator who is sure of nothing."""
        for _ in range(rounds):
            key = f"key-{self.dice.randrange(5)}"
            offsets = self.dice.sample(range(self.next_offset), min(3, self.next_offset))
            discards = [
                DiscardLetters(key),
                DiscardLetters(key, all=True),
                DiscardLetters(key, offsets=offsets),
            ]
            if self.dice.random() < 0.6:
                await self.desk().discard(CONSUMER, self.dice.choice(discards))
            else:
                await self.desk().retry(CONSUMER, self.dice.choice([RetryLetters(all=True), RetryLetters(keys=[key])]))


@pytest.mark.parametrize("seed", range(5))
async def test_owners_and_operators_at_once(desks: list[Desk], config: Settings, seed: int) -> None:
    """Whatever happened in between: without poison everything is worked off, in the order of each key."""
    world = World(desks, seed)
    async with await psycopg.AsyncConnection.connect(config.database_url, autocommit=True) as connection:
        owner = asyncio.create_task(world.own(await world.desk().claim()))
        operators = [asyncio.create_task(world.operate(40)) for _ in range(3)]
        while not all(task.done() for task in operators):
            assert await (await connection.execute(ORPHANS)).fetchone() == (0,)
            if world.dice.random() < 0.1:
                # The old owner meets its fence; the new one begins where the old one's writes end.
                claimed = await world.desk().claim()
                await owner
                owner = asyncio.create_task(world.own(claimed))
        await asyncio.gather(*operators)
        await world.desk().claim()
        await owner
        await to_the_end(world)
        assert await (await connection.execute(ORPHANS)).fetchone() == (0,)
    for offsets in world.handled.values():
        # At least once: an owner that is fenced between an effect and its `done` leaves the letter to the next.
        firsts = list(dict.fromkeys(offsets))
        assert firsts == sorted(firsts)


async def to_the_end(world: World) -> None:
    """Nothing fails any more: one pass over what is wanted back leaves nothing."""
    world.poison = 0.0
    own = await world.desk().claim()
    waits = {key.key for key in await world.desk().keys()}
    await world.desk().retry(CONSUMER, RetryLetters(all=True))
    for key in await world.desk().keys(topic=TOPIC, partition=0, retry=True):
        await world.drain(own, key.key, waits)
    assert (waits, await world.desk().keys(), await world.desk().everything()) == (set(), [], [])
