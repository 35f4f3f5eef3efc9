"""Members are killed at random, and put to sleep for longer than their session, while the log grows."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable

from tests.faults.effects import none_ahead
from tests.faults.shapes import CONSUMERS
from tests.faults.stage import MEMBERS, Stage
from tests.integration.consuming import saved

# The pause before a kill: some hit a member that has just begun, some one that is at work.
LEAST_S, MOST_S = 0.2, 2.4
SLEEP_EVERY = 8
LOOK_EVERY = 10
EVENTS, EVERY_S = 15, 0.1

Say = Callable[[str], None]


async def kills(stage: Stage, total: int, seed: int, say: Say) -> str:
    """So many kills; what became of it, in a sentence. Raises Fault."""
    chance, began = random.Random(seed), time.monotonic()
    stage.publish(500)
    for _ in range(MEMBERS):
        stage.start()
    publishing = asyncio.create_task(stage.publishing(EVENTS, EVERY_S))
    sleepers: list[asyncio.Task[None]] = []
    for number in range(1, total + 1):
        await asyncio.sleep(chance.uniform(LEAST_S, MOST_S))
        awake = [member for member in stage.members if not member.asleep]
        if number % SLEEP_EVERY == 0 and len(awake) == MEMBERS:
            sleepers.append(asyncio.create_task(_sleep(stage, chance)))
            await asyncio.sleep(0)
            awake = [member for member in stage.members if not member.asleep]
        stage.kill(chance.choice(awake))
        if number % LOOK_EVERY == 0:
            await _look(stage)
            done = ", ".join(f"{name} {len(stage.effects(name))}" for name in CONSUMERS)
            say(f"{number} of {total} kills, {time.monotonic() - began:.0f} s, {stage.last} events; effects: {done}")
    await asyncio.gather(*sleepers)
    publishing.cancel()
    await asyncio.gather(publishing, return_exceptions=True)
    killing_s = time.monotonic() - began
    await stage.settled()
    await stage.stop()
    stage.agrees()
    again = {name: len(stage.effects(name)) - stage.last for name in CONSUMERS}
    return (
        f"{total} kills and {len(sleepers)} sleepers in {killing_s:.0f} s (seed {seed}), "
        f"settled {time.monotonic() - began - killing_s:.0f} s later: {stage.last} events, nothing lost, each "
        f"originator in order; effects repeated: {again}"
    )


async def _sleep(stage: Stage, chance: random.Random) -> None:
    """One member sleeps until its partitions are somebody else's. It may be killed meanwhile by nobody."""
    member = chance.choice(stage.members)
    member.sleep()
    await asyncio.sleep(stage.session_s + chance.uniform(0.5, 2.0))
    member.wake()


async def _look(stage: Stage) -> None:
    """Nothing is committed that is not done."""
    for name in CONSUMERS:
        found = {number: position for number, (_, position) in (await saved(stage.config, name)).items()}
        none_ahead(name, found, stage.effects(name), stage.last)
