"""The end of a consumer that has hardly begun, or whose hook does not return."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from eskit.consumer import Consumer, Tuning
from eskit.errors import EskitError
from eskit.settings import Settings
from infra.local.broker import KafkaBroker
from tests.integration.consuming import Topic, collect, consuming, offsets_service
from tests.services import until


@pytest.fixture
async def config(log_config: Settings, kafka_broker: KafkaBroker) -> AsyncIterator[Settings]:
    async with offsets_service(log_config) as config:
        Topic(config, kafka_broker).add_positions(range(1, 101))
        yield config


async def test_stopped_before_its_first_step_it_ends_at_once_and_can_run_again(config: Settings) -> None:
    consumer = Consumer("billing")
    seen = collect(consumer)
    task = asyncio.create_task(consumer.run(config))
    consumer.stop()
    await asyncio.wait_for(task, 5)
    assert seen.records == []
    consumer.stop()  # of a run that is over: the next one does not know of it
    async with consuming(config, consumer):
        await until(lambda: seen.has(range(1, 101)))


@pytest.mark.parametrize("stubborn", [False, True])
async def test_a_hook_that_hangs_does_not_hold_up_the_end(config: Settings, stubborn: bool) -> None:
    consumer = Consumer("billing", tuning=Tuning(grace_s=0.3))
    seen = collect(consumer)
    entered, cancelled, free = asyncio.Event(), asyncio.Event(), asyncio.Event()

    @consumer.on_assigned
    async def prepare(_: set[int]) -> None:
        entered.set()
        while not free.is_set():
            try:
                await free.wait()
            except asyncio.CancelledError:
                cancelled.set()
                if not stubborn:
                    raise

    task = asyncio.create_task(consumer.run(config))
    await asyncio.wait_for(entered.wait(), 30)
    begun = time.monotonic()
    consumer.stop()
    await asyncio.wait_for(task, 30)
    assert time.monotonic() - begun < 10
    assert cancelled.is_set()
    assert seen.records == []
    free.set()


async def test_a_hook_that_is_left_by_what_it_awaits_ends_the_consumer(config: Settings) -> None:
    consumer = Consumer("billing")
    collect(consumer)

    @consumer.on_assigned
    async def prepare(_: set[int]) -> None:
        raise asyncio.CancelledError

    with pytest.raises(EskitError, match="hook was cancelled"):
        await asyncio.wait_for(consumer.run(config), 30)
