"""The metrics consumer's page on all consumers: how far they are, as the offsets service says."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial

import msgspec
import pytest

from consumers.metrics import looking
from eskit.client.offsets import Offsets
from eskit.consumer import Consumer
from eskit.offsets import Commit
from eskit.settings import Settings
from infra.local.broker import KafkaBroker
from infra.local.ports import free_port
from offsets_svc.app import offsets_app
from tests.integration.consuming import Topic, all_saved, collect, consuming, last_of, stored
from tests.integration.metrics_page import has, is_, metrics, scrape
from tests.services import running, until


@pytest.fixture
def topic(config: Settings, kafka_broker: KafkaBroker) -> Topic:
    topic = Topic(config, kafka_broker)
    topic.add(stored(p) for p in range(1, 501))
    return topic


async def test_progress_is_not_one_behind(config: Settings, topic: Topic) -> None:
    """A bug of old."""
    consumer = Consumer("billing")
    collect(consumer)
    async with consuming(config, consumer), metrics(config) as url:
        await until(lambda: all_saved(config, "billing", last_of(range(1, 501))))
        for name in ("billing", "metrics"):
            labels = f'{{consumer_name="{name}"}}'
            await until(partial(has, url, f"eskit_consumers_progress{labels}", 500))
            await until(partial(has, url, f"eskit_consumers_consumed_count{labels}", 500))
            await until(partial(has, url, f"eskit_consumers_lag_events{labels}", 0))
            samples = await scrape(url)
            assert samples[f"eskit_consumers_lag_seconds{labels}"] == 0
            assert samples[f"eskit_consumers_members{labels}"] == 1
            assert samples[f"eskit_consumers_lastseen{labels}"] > 1_700_000_000


async def test_more_consumers_than_a_page_holds(
    config: Settings, topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "PAGE", 2)
    names = [f"c{number}" for number in range(5)]
    async with Offsets(config.offsets_url) as client:
        for name in names:
            await client.commit(name, Commit(config.topic, 0, 1, 1))
    async with metrics(config) as url:
        for name in names:
            await until(partial(has, url, f'eskit_consumers_progress{{consumer_name="{name}"}}', 1))


async def test_without_the_offsets_service_counts_go_on(log_config: Settings, kafka_broker: KafkaBroker) -> None:
    topic = Topic(log_config, kafka_broker)
    topic.add(stored(p, entity_type="User") for p in range(1, 501))
    port = free_port()
    config = msgspec.structs.replace(log_config, offsets_port=port, offsets_url=f"http://127.0.0.1:{port}")
    progress, lag = (f'eskit_consumers_{name}{{consumer_name="metrics"}}' for name in ("progress", "lag_events"))
    async with AsyncExitStack() as service:
        await service.enter_async_context(running(offsets_app(config), config, "offsets_port"))
        async with metrics(config) as url:
            await until(lambda: is_(500, url))
            await until(lambda: has(url, progress, 500))
            await until(lambda: has(url, lag, 0))
            await service.aclose()
            topic.add(stored(p, entity_type="User") for p in range(501, 601))
            await until(lambda: is_(600, url))
            await until(lambda: gone(url, lag))
            assert (await scrape(url))[progress] == 500
            await service.enter_async_context(running(offsets_app(config), config, "offsets_port"))
            await until(lambda: has(url, progress, 600))
            await until(lambda: has(url, lag, 0))


async def gone(url: str, sample: str) -> bool:
    return sample not in await scrape(url)
