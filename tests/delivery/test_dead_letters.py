"""Events that fail are set aside with what follows of their originators; all others flow; what is wanted back comes in
order."""

from __future__ import annotations

import asyncio
from collections import defaultdict

import pytest

from eskit.consumer import Consumer, DeadLetter, Event, HandlerStopped, Retry, Stop, Tuning
from eskit.errors import Unavailable
from eskit.letters import UNREADABLE
from tests.delivery.bench import Bench, Kept, committed, set_aside
from tests.services import until

QUICK = Tuning(commit_interval_s=0.05, retry_least_s=0.001, retry_most_s=0.01)
WAYS = ["one by one", "lanes", "batches"]


class Shop:
    """Handlers that fail for some positions as long as they are told to."""

    def __init__(self, way: str, poison: set[int], name: str = "billing") -> None:
        self.poison = poison
        self.seen: dict[str, list[int]] = defaultdict(list)
        self.consumer = Consumer(name, concurrency=8 if way == "lanes" else 1, tuning=QUICK)
        if way == "batches":
            self.consumer.on_batch()(self.batch)
        else:
            self.consumer.on()(self.one)

    async def one(self, event: Event) -> None:
        if event.position in self.poison:
            raise ValueError(f"no such account {event.position}")
        self.seen[event.originator.id].append(event.position)

    async def batch(self, events: list[Event]) -> None:
        for event in events:
            await self.one(event)

    def of(self, position: int) -> list[int]:
        """What was handled of the originator of a position, each once."""
        return list(dict.fromkeys(self.seen[f"thing-{position % 100}"]))

    def all(self) -> set[int]:
        return {position for positions in self.seen.values() for position in positions}


@pytest.mark.parametrize("way", WAYS)
async def test_who_failed_waits_with_what_follows_and_all_others_flow(bench: Bench, way: str) -> None:
    bench.add(range(1, 601))
    shop = Shop(way, {107})
    async with bench.running(shop.consumer):
        await committed(bench, "billing")
        kept = await bench.letters("billing")
        assert [k.position for k in kept] == [107, 207, 307, 407, 507]
        assert [(k.key, k.failed) for k in kept] == [("thing-7", True)] + [("thing-7", False)] * 4
        assert kept[0].attempts == 5
        assert shop.of(7) == [7]
        assert shop.all() == set(range(1, 601)) - {107, 207, 307, 407, 507}

        shop.poison = set()
        await bench.retry("billing", "thing-7")
        bench.add(range(601, 701))
        await set_aside(bench, "billing", lambda kept: not kept)
        await committed(bench, "billing")
        await until(lambda: 607 in shop.of(7))
        assert shop.of(7) == [7, 107, 207, 307, 407, 507, 607]
        assert shop.all() == set(range(1, 701))
    assert shop.consumer.stats.dead_lettered == 1


@pytest.mark.parametrize("way", WAYS)
async def test_who_waits_goes_on_waiting_after_a_restart(bench: Bench, way: str) -> None:
    bench.add(range(1, 201))
    shop = Shop(way, {7})
    async with bench.running(shop.consumer):
        await committed(bench, "billing")
    bench.add(range(201, 301))
    again = Shop(way, set())
    async with bench.running(again.consumer):
        await committed(bench, "billing")
        assert [k.position for k in await bench.letters("billing")] == [7, 107, 207]
        assert again.of(7) == []
        await bench.retry("billing")
        await set_aside(bench, "billing", lambda kept: not kept)
        await until(lambda: again.of(7) == [7, 107, 207])


@pytest.mark.parametrize("way", WAYS)
async def test_what_fails_again_goes_on_waiting_with_the_attempts_added(bench: Bench, way: str) -> None:
    bench.add(range(1, 301))
    shop = Shop(way, {7, 107})
    async with bench.running(shop.consumer):
        await committed(bench, "billing")
        shop.poison = {107}
        await bench.retry("billing", "thing-7")
        kept = await set_aside(bench, "billing", lambda kept: len(kept) == 2 and kept[0].failed)
        assert kept == [Kept("thing-7", 107, True, 5), Kept("thing-7", 207, False, 0)]
        assert shop.of(7) == [7]


async def test_what_is_thrown_away_lets_those_behind_it_flow(bench: Bench) -> None:
    bench.add(range(1, 301))
    shop = Shop("one by one", {7})
    async with bench.running(shop.consumer):
        await committed(bench, "billing")
        await bench.discard("billing", "thing-7")
        await set_aside(bench, "billing", lambda kept: not kept)
        await until(lambda: shop.of(7) == [107, 207])
        bench.add(range(301, 401))
        await until(lambda: shop.of(7) == [107, 207, 307])


async def test_a_record_that_cannot_be_read_is_set_aside_and_holds_nobody(bench: Bench) -> None:
    bench.add(range(1, 51))
    bench.add_raw(0, b"hello")
    bench.add_raw(0, b"")
    bench.add(range(51, 101))
    shop = Shop("one by one", set())
    async with bench.running(shop.consumer):
        await committed(bench, "billing")
        assert await bench.letters("billing") == [Kept(UNREADABLE, None, True, 1)] * 2
        await bench.retry("billing")
        # Nothing has changed about them: both stay, with one attempt more.
        await set_aside(bench, "billing", lambda kept: kept == [Kept(UNREADABLE, None, True, 2)] * 2)
        await bench.discard("billing", UNREADABLE)
        await set_aside(bench, "billing", lambda kept: not kept)
    assert shop.all() == set(range(1, 101))


async def test_each_exception_is_one_of_three(bench: Bench) -> None:
    bench.add(range(1, 11))
    outcomes: dict[int, BaseException | type[BaseException]] = {
        2: DeadLetter("at once"),
        4: Retry("twice", attempts=2, least_s=0.001),
        6: KeyError("as the table says"),
        8: Unavailable("passes by itself"),
    }
    calls: list[int] = []
    consumer = Consumer("billing", on_error={LookupError: DeadLetter}, tuning=QUICK)

    @consumer.on()
    async def handle(event: Event) -> None:
        calls.append(event.position)
        if calls.count(8) >= 7:
            outcomes.pop(8, None)
        if event.position in outcomes:
            raise outcomes[event.position]

    async with bench.running(consumer):
        await committed(bench, "billing")
        kept = {k.position: k.attempts for k in await bench.letters("billing")}
    assert kept == {2: 1, 4: 2, 6: 1}
    assert [calls.count(n) for n in (2, 4, 6, 8)] == [1, 2, 1, 7]


@pytest.mark.parametrize("way", WAYS)
async def test_stop_ends_the_consumer_before_the_event(bench: Bench, way: str) -> None:
    bench.add(range(1, 101))
    consumer = Consumer("billing", on_error={ValueError: Stop}, concurrency=4 if way == "lanes" else 1, tuning=QUICK)

    async def one(event: Event) -> None:
        if event.position == 50:
            raise ValueError("enough")

    async def batch(events: list[Event]) -> None:
        for event in events:
            await one(event)

    if way == "batches":
        consumer.on_batch()(batch)
    else:
        consumer.on()(one)
    with pytest.raises(HandlerStopped, match="event 50"):
        await to_its_end(bench, consumer)
    found = await bench.offsets("billing")
    assert await bench.letters("billing") == []
    assert any((found.get(number) or 0) < end for number, end in bench.ends().items())


async def to_its_end(bench: Bench, consumer: Consumer) -> None:
    async with bench.running(consumer) as task, asyncio.timeout(30):
        await asyncio.wait([task])


async def test_dead_letters_of_one_consumer_are_nobody_elses(bench: Bench) -> None:
    bench.add(range(1, 101))
    one, other = Shop("one by one", {5}, "one"), Shop("one by one", set(), "other")
    async with bench.running(one.consumer), bench.running(other.consumer):
        await committed(bench, "one")
        await committed(bench, "other")
    assert len(await bench.letters("one")) == 1
    assert await bench.letters("other") == []
    assert other.all() == set(range(1, 101))
