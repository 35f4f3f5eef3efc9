"""What moves the offset and what does not: duplicates, events that nobody wants, partitions that were lost."""

from __future__ import annotations

import asyncio

import pytest

from eskit.consumer import Consumer, Event, Tuning
from eskit.consumer.group.bridge import Callbacks
from eskit.consumer.means import Group
from eskit.testing import Log
from eskit.testing.consuming import TOPIC, memory_means
from tests.delivery.bench import Bench, committed
from tests.integration.consuming import PARTITIONS, stored
from tests.services import until

QUICK = Tuning(commit_interval_s=0.05)
WAYS = ["one by one", "lanes", "batches"]


def noting(way: str, *selectors: str, tuning: Tuning = QUICK) -> tuple[Consumer, list[int]]:
    """A consumer and the positions that it was given."""
    consumer = Consumer("billing", concurrency=4 if way == "lanes" else 1, tuning=tuning)
    seen: list[int] = []

    async def one(event: Event) -> None:
        seen.append(event.position)

    async def batch(events: list[Event]) -> None:
        seen.extend(event.position for event in events)

    if way == "batches":
        consumer.on_batch(*selectors)(batch)
    else:
        consumer.on(*selectors)(one)
    return consumer, seen


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("selectors", [(), ("Thing.Changed",)])
async def test_what_comes_again_is_dropped_also_after_a_restart(
    bench: Bench, way: str, selectors: tuple[str, ...]
) -> None:
    """A relay that was in doubt repeats some records, the same ones in the same order."""
    bench.add(range(1, 201))
    bench.add(range(101, 301))
    consumer, seen = noting(way, *selectors)
    async with bench.running(consumer):
        await committed(bench, "billing")
    bench.add(range(150, 401))
    again, seen_again = noting(way, *selectors)
    async with bench.running(again):
        await committed(bench, "billing")
    assert sorted(seen) == list(range(1, 301))
    assert sorted(seen_again) == list(range(301, 401))
    assert (consumer.stats.dropped, again.stats.dropped) == (100, 151)


@pytest.mark.parametrize("way", WAYS)
async def test_what_nobody_wants_moves_the_offset(bench: Bench, way: str) -> None:
    bench.add(range(1, 101))
    bench.add(range(101, 301), action="Ignored")
    consumer, seen = noting(way, "Thing.Changed")
    async with bench.running(consumer):
        await committed(bench, "billing")
    assert sorted(seen) == list(range(1, 101))


async def test_what_was_lost_is_not_committed() -> None:
    """Somebody else may have it already; and what he has done meanwhile is his to say."""
    log = Log(PARTITIONS)
    for position in range(1, 101):
        log.publish(stored(position))
    consumer, seen = noting("one by one", tuning=Tuning(commit_interval_s=3600))
    means = memory_means(consumer, log)
    callbacks: list[Callbacks] = []

    def group(given: Callbacks) -> Group:
        callbacks.append(given)
        return means.group(given)

    running = asyncio.create_task(consumer.run_on(means._replace(group=group), TOPIC))
    await until(lambda: len(seen) == 100)
    await callbacks[0].lost(frozenset({0, 1}))
    await callbacks[0].revoked(frozenset({2}))
    offsets = log.offsets.of("billing")
    assert (offsets[0], offsets[1]) == (None, None)
    assert offsets[2] == len(log.partitions[2])
    consumer.stop()
    await asyncio.wait_for(running, 30)
