"""When what was set aside may come back, and when its originator may go."""

from __future__ import annotations

import asyncio

import pytest

from eskit.consumer import Record, Tuning
from eskit.consumer.delivery import draining
from eskit.consumer.delivery.draining import Draining
from eskit.consumer.delivery.effects import Outside
from eskit.consumer.delivery.failures import Failure
from eskit.consumer.delivery.handling import Handling
from eskit.consumer.delivery.items import Item
from eskit.consumer.delivery.parking import Aside, Parking
from eskit.consumer.delivery.policy import Policy
from eskit.consumer.delivery.progress import Progress
from eskit.consumer.delivery.routes import Routes
from eskit.consumer.delivery.stopping import Stopping
from eskit.consumer.stats import Stats
from eskit.kafka import record
from eskit.offsets import Claim
from eskit.testing import Log
from eskit.testing.letters import KeptLetters
from tests.integration.consuming import originator, stored
from tests.services import until

FAILURE = Failure("ValueError", "poison", "", 5)
KEY = originator(1)


class Desk:
    """A partition with the events 1, 101, 201 of one originator at the offsets 0, 1, 2."""

    def __init__(self) -> None:
        log, self.done = Log(1), list[int]()
        for position in (1, 101, 201):
            log.publish(stored(position))
        self.routes = Routes()
        self.routes.add((), self.handle)
        self.items = [self.item(message.offset(), message.value() or b"") for message in log.partitions[0]]
        self.kept = KeptLetters()
        stopping, stats = Stopping(), Stats()
        self.stopping = stopping
        self.parking = Parking(self.kept.at("c", 0, self.routes), stats, stopping)
        self.progress = Progress("t", Claim(0, epoch=1, offset=0))
        handling = Handling(Policy.of({}, Tuning(), in_memory=False), self.parking, stats, stopping)
        self.draining = Draining(Outside(batches=False), handling, self.parking, self.progress, stats, stopping)

    def item(self, offset: int, value: bytes) -> Item:
        event = record.decode(value)
        calls = self.routes.of(event.entity_type, event.action)
        return Item(self, offset, event.position, Record(event, 0, offset), calls)  # type: ignore[arg-type]

    async def handle(self, what: Record) -> None:
        self.done.append(what.event.position)


async def test_what_the_partition_has_yet_to_come_by_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its owner died before the offset was committed: had it its effect now, it would be read and have it again."""
    monkeypatch.setattr(draining, "LOOK_S", 0.005)
    desk = Desk()
    await desk.parking.letters.add([Aside(desk.items[0], FAILURE), Aside(desk.items[1], None)])
    await desk.parking.load()
    desk.kept.retry("c")
    running = asyncio.create_task(desk.draining.run())
    looks = 0

    async def looked() -> list[str]:
        nonlocal looks
        looks += 1
        return [KEY]

    monkeypatch.setattr(desk.parking.letters, "wanted_back", looked)
    await until(lambda: looks > 3)
    assert desk.done == []
    desk.progress.done(0, 1)
    await until(lambda: desk.done == [1])
    looks = 0
    await until(lambda: looks > 3)
    assert desk.done == [1]
    desk.progress.done(1, 101)
    await until(lambda: not desk.parking.keys)
    assert desk.done == [1, 101]
    desk.stopping.halt()
    await asyncio.wait_for(running, 5)


async def test_an_originator_stays_while_letters_of_it_are_left() -> None:
    desk = Desk()
    assert await desk.parking.set_aside(desk.items[0], FAILURE)
    # It has had its effect, and before anybody looks another comes.
    await desk.parking.letters.done(KEY, 0)
    assert await desk.parking.divert([desk.items[1]]) == []
    assert not await desk.parking.release(KEY)
    assert desk.parking.holds(desk.items[2])
    await desk.parking.letters.done(KEY, 1)
    assert await desk.parking.release(KEY)
    assert not desk.parking.holds(desk.items[2])
