"""Settings for the services under test."""

import pytest

from eskit.settings import Settings
from infra.local.broker import KafkaBroker
from tests.services import config_for, own_log


@pytest.fixture
def config(database_url: str) -> Settings:
    """A fresh database, no Kafka: enough for the services that only know Postgres."""
    return config_for(database_url)


@pytest.fixture
def log_config(database_url: str, kafka_broker: KafkaBroker) -> Settings:
    """A fresh database and a log, hence a topic, of the test's own on the shared broker."""
    return own_log(database_url, kafka_broker.bootstrap)
