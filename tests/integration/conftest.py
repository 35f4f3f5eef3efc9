"""Settings for the services under test."""

from collections.abc import AsyncIterator
from typing import get_args

import aiohttp
import pytest

from eskit.consumer.config import Protocol
from eskit.settings import Settings
from eventstore_svc.app import eventstore_app
from infra.local.broker import KafkaBroker
from tests.integration.eventstore_calls import Api
from tests.integration.waiting import Live, open_live
from tests.services import config_for, own_log, running


@pytest.fixture
def config(database_url: str) -> Settings:
    """A fresh database, no Kafka: enough for the services that only know Postgres."""
    return config_for(database_url)


@pytest.fixture
def log_config(database_url: str, kafka_broker: KafkaBroker) -> Settings:
    """A fresh database and a log, hence a topic, of the test's own on the shared broker."""
    return own_log(database_url, kafka_broker.bootstrap)


@pytest.fixture(params=get_args(Protocol))
def protocol(request: pytest.FixtureRequest) -> Protocol:
    """Each of the protocols of Kafka's consumer groups."""
    chosen: Protocol = request.param
    return chosen


@pytest.fixture
async def api(config: Settings) -> AsyncIterator[Api]:
    """A running event store with small limits."""
    small = config_for(config.database_url, max_body_bytes=200_000, max_event_bytes=50_000, max_events=10)
    async with running(eventstore_app(small), small, "eventstore_port") as url, aiohttp.ClientSession() as session:
        yield Api(url, session)


@pytest.fixture
async def live(config: Settings) -> AsyncIterator[Live]:
    """A running event store with its feed at hand, and short times."""
    async with open_live(config) as opened:
        yield opened
