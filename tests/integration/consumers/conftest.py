"""What the tests of consumers stand on: an offsets service, and the topic of a log that is the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from eskit.settings import Settings
from infra.local.broker import KafkaBroker
from tests.integration.consuming import Topic, offsets_service
from tests.integration.go_consumer import Effects, Go, Members, build


@pytest.fixture
async def config(log_config: Settings) -> AsyncIterator[Settings]:
    """A log, with an offsets service that runs."""
    async with offsets_service(log_config) as config:
        yield config


@pytest.fixture
def topic(config: Settings, kafka_broker: KafkaBroker) -> Topic:
    """The log's topic, with nothing in it."""
    return Topic(config, kafka_broker)


@pytest.fixture(scope="session")
def go(tmp_path_factory: pytest.TempPathFactory) -> Go:
    """The consumer in Go, built once; skips where that cannot be."""
    return build(tmp_path_factory.mktemp("go"))


@pytest.fixture
def effects(tmp_path: Path) -> Effects:
    """The file that the processes of a test write."""
    return Effects(tmp_path / "effects")


@pytest.fixture
def members(go: Go, config: Settings, effects: Effects) -> Iterator[Members]:
    """Processes of the consumer in Go, ended with the test."""
    with closing(Members(go, config, effects)) as members:
        yield members
