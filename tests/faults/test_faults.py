"""The same in small, as a test; `make faults` does it in large."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from infra.local.broker import KafkaBroker
from tests.faults.kills import kills
from tests.faults.poison import poison
from tests.faults.stage import Stage, staged
from tests.services import own_log

pytestmark = [pytest.mark.real_kafka, pytest.mark.slow]


@pytest.fixture
async def stage(database_url: str, kafka_broker: KafkaBroker, tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(own_log(database_url, kafka_broker.bootstrap), kafka_broker, tmp_path) as stage:
        yield stage


async def test_members_killed_and_asleep_in_every_mode(stage: Stage) -> None:
    said: list[str] = []
    told = await kills(stage, 14, seed=3, say=said.append)
    assert told.startswith("14 kills and 1 sleepers")


async def test_one_in_a_thousand_is_poisoned_in_every_mode(stage: Stage) -> None:
    said: list[str] = []
    told = await poison(stage, 2000, say=said.append)
    assert "2 of them poisoned" in told
