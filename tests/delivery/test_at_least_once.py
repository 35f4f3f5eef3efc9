"""At least once: in order for each originator, one after the other or many at a time; the offset never ahead."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable

import pytest

from eskit.consumer import Consumer, Event, Record, Tuning
from tests.delivery.bench import Bench, committed
from tests.services import until

QUICK = Tuning(commit_interval_s=0.05, retry_least_s=0.01, retry_most_s=0.05)


class Order:
    """The versions that handlers have seen, of each originator."""

    def __init__(self) -> None:
        self.seen: dict[str, list[int]] = defaultdict(list)

    def note(self, event: Event) -> None:
        self.seen[event.originator.id].append(event.originator.version)

    @property
    def count(self) -> int:
        return sum(map(len, self.seen.values()))

    def in_order(self) -> bool:
        return all(versions == sorted(set(versions)) for versions in self.seen.values())


@pytest.mark.parametrize("concurrency", [1, 8])
async def test_every_event_once_and_in_order_of_its_originator(bench: Bench, concurrency: int) -> None:
    bench.add(range(1, 1001))
    consumer = Consumer("billing", concurrency=concurrency, tuning=QUICK)
    order = Order()

    @consumer.on()
    async def handle(event: Event) -> None:
        if concurrency > 1:
            await asyncio.sleep(0.001 * (event.position % 3))
        order.note(event)

    async with bench.running(consumer):
        await committed(bench, "billing")
    assert (order.count, order.in_order(), len(order.seen)) == (1000, True, 100)
    assert consumer.stats.handled == 1000


async def test_lanes_work_at_the_same_time_and_no_more_than_so_many(bench: Bench) -> None:
    bench.add(range(1, 401))
    consumer = Consumer("billing", concurrency=5, tuning=QUICK)
    inside: dict[int, int] = defaultdict(int)
    most: dict[int, int] = defaultdict(int)
    busy: set[str] = set()

    @consumer.on_record()
    async def handle(record: Record) -> None:
        number, who = record.partition, record.event.originator.id
        assert who not in busy
        busy.add(who)
        inside[number] += 1
        most[number] = max(most[number], inside[number])
        await asyncio.sleep(0.002)
        inside[number] -= 1
        busy.discard(who)

    async with bench.running(consumer):
        await committed(bench, "billing")
    assert max(most.values()) == 5


async def test_an_originator_that_hangs_holds_nobody_and_the_offset_stays_before_it(bench: Bench) -> None:
    bench.add(range(1, 301))
    gate = asyncio.Event()
    consumer = Consumer("billing", concurrency=8, tuning=QUICK)
    order = Order()

    @consumer.on()
    async def handle(event: Event) -> None:
        if event.position == 7:
            await gate.wait()
        order.note(event)

    async with bench.running(consumer):
        await until(lambda: order.count == 300 - 3)  # positions 7, 107 and 207 are one originator's
        found = await bench.offsets("billing")
        behind = [number for number, end in bench.ends().items() if (found.get(number) or 0) < end]
        await until(lambda: _others_done(bench, behind))
        assert len(behind) >= 1
        gate.set()
        await committed(bench, "billing")
    assert (order.count, order.in_order()) == (300, True)


async def _others_done(bench: Bench, behind: list[int]) -> bool:
    found = await bench.offsets("billing")
    late = [number for number, end in bench.ends().items() if (found.get(number) or 0) < end]
    return len(late) == 1 and set(late) <= set(behind)


async def test_a_second_run_goes_on_where_the_first_stopped(bench: Bench) -> None:
    order = Order()
    for first, last in ((1, 150), (151, 300)):
        bench.add(range(first, last + 1))
        consumer = Consumer("billing", concurrency=4, tuning=QUICK)
        consumer.on()(_noting(order))
        async with bench.running(consumer):
            await committed(bench, "billing")
    assert (order.count, order.in_order()) == (300, True)


def _noting(order: Order) -> Callable[[Event], Awaitable[None]]:
    async def handle(event: Event) -> None:
        order.note(event)

    return handle


async def test_batches_are_lists_in_order_and_the_offset_follows(bench: Bench) -> None:
    bench.add(range(1, 1001))
    consumer = Consumer("sink", tuning=QUICK._replace(batch_events=100, batch_wait_s=0.05))
    order = Order()
    sizes: list[int] = []

    @consumer.on_batch("Thing.*")
    async def handle(events: list[Event]) -> None:
        sizes.append(len(events))
        for event in events:
            order.note(event)

    async with bench.running(consumer):
        await committed(bench, "sink")
    assert (order.count, order.in_order()) == (1000, True)
    assert max(sizes) == 100
    assert len(sizes) < 100


async def test_two_selectors_two_batches(bench: Bench) -> None:
    consumer = Consumer("sink", tuning=QUICK)
    got: dict[str, int] = defaultdict(int)

    @consumer.on_batch("*.Changed")
    async def changed(events: list[Event]) -> None:
        got["changed"] += len(events)

    @consumer.on_batch("*.Deleted", "*.Changed")
    async def both(events: list[Event]) -> None:
        got["both"] += len(events)

    bench.add(range(1, 101))
    bench.add(range(101, 151), action="Deleted")
    bench.add(range(151, 201), action="Ignored")
    async with bench.running(consumer):
        await committed(bench, "sink")
    assert got == {"changed": 100, "both": 150}
    assert consumer.stats.filtered == 50
