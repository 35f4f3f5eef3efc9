"""Members are killed at random, and put to sleep for longer than their session, while the log grows."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable

from tests.faults.effects import none_ahead
from tests.faults.shapes import CONSUMERS
from tests.faults.stage import MEMBERS, Member, Stage
from tests.integration.consuming import saved
from tests.services import until

# Killed at once, of three: sometimes nobody is left.
VICTIMS = (1, 2, 3)
# Some kills hit a member in the middle of its work, some one that has just begun.
PAUSE_S = 0.5
SLEEP_EVERY = 5
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
    killed = rounds = 0
    while killed < total:
        rounds += 1
        await _at_work(stage)
        await asyncio.sleep(chance.uniform(0, PAUSE_S))
        if rounds % SLEEP_EVERY == 0 and not any(member.asleep for member in stage.members):
            sleepers.append(asyncio.create_task(_sleep(stage, chance.choice(stage.members), chance.uniform(0.5, 2.0))))
            await asyncio.sleep(0)
        awake = [member for member in stage.members if not member.asleep]
        for victim in chance.sample(awake, min(chance.choice(VICTIMS), len(awake), total - killed)):
            stage.kill(victim)
            killed += 1
        if rounds % LOOK_EVERY == 0:
            await _look(stage)
            done = ", ".join(f"{name} {len(stage.effects(name))}" for name in CONSUMERS)
            say(f"{killed} of {total} kills, {time.monotonic() - began:.0f} s, {stage.last} events; effects: {done}")
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


async def _at_work(stage: Stage) -> None:
    """Else a group that does nothing but meet anew would be killed again and again: no test of anything."""
    before = stage.written()
    await until(lambda: stage.written() > before, 60, lambda: stage.members[0].output()[-3000:])


async def _sleep(stage: Stage, member: Member, more_s: float) -> None:
    """It sleeps until its partitions are somebody else's."""
    member.sleep()
    await asyncio.sleep(stage.session_s + more_s)
    member.wake()


async def _look(stage: Stage) -> None:
    """Nothing is committed that is not done."""
    for name in CONSUMERS:
        found = {number: position for number, (_, position) in (await saved(stage.config, name)).items()}
        none_ahead(name, found, stage.effects(name), stage.last)
