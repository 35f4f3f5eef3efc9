"""Each test runs on both logs."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from eskit.settings import Settings
from infra.local.broker import KafkaBroker
from tests.delivery.bench import Bench, KafkaBench, MemoryBench
from tests.integration.consuming import Topic, offsets_service
from tests.services import config_for, own_log


@pytest.fixture(params=["memory", "kafka"])
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    """A log with nothing in it."""
    if request.param == "memory":
        yield MemoryBench(config_for(request.getfixturevalue("database_url")))
        return
    log_config: Settings = request.getfixturevalue("log_config")
    broker: KafkaBroker = request.getfixturevalue("kafka_broker")
    async with offsets_service(log_config) as config:
        yield KafkaBench(config, Topic(config, broker))


@pytest.fixture
def log_config(database_url: str, kafka_broker: KafkaBroker) -> Settings:
    """A fresh database and a log, hence a topic, of the test's own on the shared broker."""
    return own_log(database_url, kafka_broker.bootstrap)
