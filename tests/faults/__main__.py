"""`python -m tests.faults --kills 200`: on a PostgreSQL and a Kafka of its own."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from infra.local.broker import KafkaBroker
from tests.faults.effects import Fault
from tests.faults.kills import kills
from tests.faults.poison import poison
from tests.faults.stage import Stage, staged
from tests.services import own_log
from tests.stack import fresh_database, local_kafka, local_postgres, make_template

Scenario = Callable[[Stage], Awaitable[str]]


def say(line: str) -> None:
    """Tell the person at the terminal."""
    sys.stderr.write(f"faults: {line}\n")


async def play(scenario: Scenario, url: str, broker: KafkaBroker) -> None:
    """One scenario on a log and a view of its own. Raises Fault."""
    with tempfile.TemporaryDirectory() as folder:
        async with staged(own_log(url, broker.bootstrap), broker, Path(folder)) as stage:
            say(await scenario(stage))
        say(f"what the members told: {dict(stage.told)}")


def main() -> int:
    """0, or 1 with the fault."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="how many (default 200: about five minutes)")
    parser.add_argument("--events", type=int, default=6000, help="events with poison among them (default 6000)")
    parser.add_argument("--seed", type=int, default=1, help="of the choice of victims and moments (default 1)")
    given = parser.parse_args()
    scenarios: list[Scenario] = [
        lambda stage: poison(stage, given.events, say),
        lambda stage: kills(stage, given.kills, given.seed, say),
    ]
    try:
        with local_postgres() as postgres, local_kafka(say) as broker:
            template = make_template(postgres)
            for scenario in scenarios:
                with fresh_database(postgres, template) as url:
                    asyncio.run(play(scenario, url, broker))
    except (Fault, AssertionError) as fault:
        say(str(fault))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
