"""What is tested on both kinds of services gets each of them in turn."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from eskit.client import Connections, EventStore
from tests.clients import Services, in_memory, on_postgres


@pytest.fixture(params=["postgres", "in process"])
async def services(request: pytest.FixtureRequest) -> AsyncIterator[Services]:
    opened = in_memory() if request.param == "in process" else on_postgres(request.getfixturevalue("database_url"))
    async with opened as found:
        yield found


@pytest.fixture
def events(services: Services) -> EventStore:
    return EventStore(services.eventstore)


@pytest.fixture
def crud(services: Services) -> Connections:
    return services.crud
