"""The whole stack as processes, on a database and a topic of its own."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from eskit.settings import Settings
from infra.local.broker import KafkaBroker
from tests.services import ServiceProcess, environment, own_log, processes


@dataclass(frozen=True)
class RunningStack:
    """Where the services are."""

    config: Settings
    eventstore: ServiceProcess
    crud: ServiceProcess
    offsets: ServiceProcess
    relay: ServiceProcess
    view: ServiceProcess

    @property
    def environ(self) -> dict[str, str]:
        """The environment of a program that uses the stack: what `make env` prints."""
        urls = {
            "ESKIT_EVENTSTORE_URL": self.eventstore.url,
            "ESKIT_CRUD_URL": self.crud.url,
            "ESKIT_OFFSETS_URL": self.offsets.url,
        }
        return os.environ | environment(self.config) | urls


@asynccontextmanager
async def running_stack(config: Settings) -> AsyncIterator[RunningStack]:
    """Start everything, wait until it is ready; kill it afterwards."""
    offsets = ServiceProcess("offsets_svc", config, "offsets_port")
    stack = RunningStack(
        config,
        ServiceProcess("eventstore_svc", config, "eventstore_port"),
        ServiceProcess("crud_svc", config, "crud_port"),
        offsets,
        ServiceProcess("eventstore_svc.relay", config, "relay_port"),
        ServiceProcess("crud_svc.view", config, "view_port", ESKIT_OFFSETS_URL=offsets.url),
    )
    started = (stack.eventstore, stack.crud, stack.offsets, stack.relay, stack.view)
    with processes(*started):
        await asyncio.gather(*(process.start().ready() for process in started))
        yield stack


@pytest.fixture
async def full_stack(database_url: str, kafka_broker: KafkaBroker) -> AsyncIterator[RunningStack]:
    """Event store, CRUD service, offsets service, relay and entity view, of a log that nobody else uses."""
    config = own_log(database_url, kafka_broker.bootstrap)
    if not kafka_broker.durable:
        # The relay makes its topic itself, but not on librdkafka's built-in broker, which cannot be asked to.
        kafka_broker.create_topic(config.topic, config.topic_partitions)
    async with running_stack(config) as stack:
        yield stack
