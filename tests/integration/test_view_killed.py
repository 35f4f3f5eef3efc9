"""The view's process is killed at random moments, and the view stays the fold of the log. `make kills`: 100 times."""

from __future__ import annotations

import asyncio
import os
import random
from functools import partial

import pytest

from eskit.settings import Settings
from eventstore_svc.store import open_event_store
from tests.integration.viewing import Life, caught_up, folded, kept, relayed
from tests.services import ServiceProcess, processes, until

pytestmark = [pytest.mark.real_kafka, pytest.mark.slow]


def has_claimed(process: ServiceProcess, times: int) -> bool:
    """Whether it has got its partitions so often, over all its lives."""
    return process.output().count('"partitions claimed"') >= times


KILLS = int(os.environ.get("KILLS", "3"))


async def test_killed_at_random_it_stays_the_fold_of_the_log(log_config: Settings) -> None:
    dice, life, stopped = random.Random(5), Life(5, entities=200), False
    async with relayed(log_config) as config, open_event_store(config, "test") as store:

        async def append() -> None:
            while not stopped:
                await life.go_on(store, 20)
                await asyncio.sleep(0.1)  # a load, not an overload

        appending = asyncio.create_task(append())
        # With a name it gets its partitions back at once; without, the broker would wait for the dead one first.
        victim = ServiceProcess("crud_svc.view", config, "view_port", ESKIT_VIEW_INSTANCE="view-0")
        with processes(victim):
            for _ in range(KILLS):
                claimed = victim.output().count('"partitions claimed"')
                victim.start()
                await until(partial(has_claimed, victim, claimed + 1), 60, victim.output)
                await asyncio.sleep(dice.uniform(0, 0.5))
                victim.kill()
            stopped = True
            await appending
            await victim.start().ready()
            await life.go_on(store, 100)
            await caught_up(config, store)
            assert victim.stop() == 0
        assert await kept(config) == await folded(store)
