"""The metrics consumer: every event counted once, also by two instances, also after a restart."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from consumers.metrics.app import metrics_app, work
from eskit.consumer import Consumer
from eskit.settings import Settings
from infra.local.broker import KafkaBroker
from tests.integration.consuming import (
    PARTITIONS,
    Topic,
    all_saved,
    collect,
    consuming,
    last_of,
    offsets_service,
    positions_of,
    stored,
)
from tests.services import ServiceProcess, processes, running, until

SAMPLE = re.compile(r"^(eskit_(?:events|consumers)\S+) (\S+)$", re.MULTILINE)
ACTIONS = ("Created", "Updated", "Deleted", "Restored", "Renamed")


@pytest.fixture
async def config(log_config: Settings) -> AsyncIterator[Settings]:
    async with offsets_service(log_config) as config:
        yield config


@pytest.fixture
def topic(config: Settings, kafka_broker: KafkaBroker) -> Topic:
    topic = Topic(config, kafka_broker)
    topic.add(stored(p, action=ACTIONS[p % 5], entity_type="User") for p in range(1, 501))
    return topic


@asynccontextmanager
async def metrics(config: Settings) -> AsyncIterator[str]:
    """The metrics consumer in this process; its URL."""
    app = metrics_app(config)
    async with running(app, config, "metrics_port") as url:
        task = asyncio.create_task(work(app))
        try:
            yield url
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def scrape(*urls: str) -> dict[str, float]:
    """The samples of all instances, added up as a dashboard does."""
    samples: dict[str, float] = {}
    async with aiohttp.ClientSession() as session:
        for url in urls:
            async with session.get(f"{url}/metrics") as response:
                for name, value in SAMPLE.findall(await response.text()):
                    samples[name] = samples.get(name, 0) + float(value)
    return samples


async def total(*urls: str, metric: str = "eskit_events_store_total") -> float:
    return sum(value for name, value in (await scrape(*urls)).items() if name.startswith(metric))


async def test_every_event_is_counted_by_type_and_by_partition(config: Settings, topic: Topic) -> None:
    topic.add(stored(p, action=ACTIONS[p % 5], entity_type="User") for p in range(400, 501))  # a relay's repetition
    async with metrics(config) as url:
        await until(lambda: is_500(url))
        samples = await scrape(url)
    for action in ACTIONS:
        labels = f'{{entity_type="User",event_type="User.{action}"}}'
        assert samples[f"eskit_events_store_total{labels}"] == 100
        assert samples.get(f"eskit_events_crud_total{labels}") == (None if action == "Renamed" else 100)
    for number in range(PARTITIONS):
        positions = positions_of(number, range(1, 501))
        labels = f'{{application_id="{config.log}",partition_id="{number}"}}'
        assert samples[f"eskit_events_stream_last_id{labels}"] == positions[-1]
        assert samples[f"eskit_events_stream_count{labels}"] == len(positions)


async def is_500(*urls: str) -> bool:
    return await total(*urls) == 500


async def test_two_instances_count_each_event_once_and_a_restart_loses_none(config: Settings, topic: Topic) -> None:
    async with metrics(config) as first:
        await until(lambda: is_500(first))
        async with metrics(config) as second:
            await until(lambda: shared(first, second))
            await until(lambda: is_500(first, second))
            topic.add([stored(p, action="Renamed", entity_type="User") for p in range(501, 601)])
            await until(lambda: is_(600, first, second))
        await until(lambda: is_(600, first))
    async with metrics(config) as again:
        await until(lambda: is_(600, again))


async def is_(wanted: int, *urls: str) -> bool:
    return await total(*urls) == wanted


async def shared(first: str, second: str) -> bool:
    return 0 < await total(second) < 500 and 0 < await total(first) < 500


async def test_progress_is_not_one_behind(config: Settings, topic: Topic) -> None:
    """A bug of old."""
    consumer = Consumer("billing")
    collect(consumer)
    async with consuming(config, consumer), metrics(config) as url:
        await until(lambda: all_saved(config, "billing", last_of(range(1, 501))))
        await until(lambda: has(url, 'eskit_consumers_progress{consumer_name="billing"}', 500))
        await until(lambda: has(url, 'eskit_consumers_consumed_count{consumer_name="billing"}', 500))
        await until(lambda: has(url, 'eskit_consumers_progress{consumer_name="metrics"}', 500))
        assert (await scrape(url))['eskit_consumers_lastseen{consumer_name="billing"}'] > 1_700_000_000


async def has(url: str, sample: str, value: float) -> bool:
    return (await scrape(url)).get(sample) == value


async def test_as_a_process_it_is_ready_and_ends_in_good_order(config: Settings, topic: Topic) -> None:
    process = ServiceProcess("consumers.metrics", config, "metrics_port")
    with processes(process):
        process.start()
        await process.ready()
        await until(lambda: is_500(process.url), 30, process.output)
        assert await asyncio.to_thread(process.stop) == 0
