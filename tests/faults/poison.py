"""One event in a thousand fails: all others flow, its originator waits in order, and comes back when it may."""

from __future__ import annotations

import time
from collections.abc import Callable

from eskit.client.letters import DeadLetters
from eskit.letters import Kept, RetryLetters
from tests.faults.effects import Fault
from tests.faults.shapes import CONSUMERS, poisoned
from tests.faults.stage import MEMBERS, Stage
from tests.integration.consuming import originator
from tests.services import until

Say = Callable[[str], None]


async def poison(stage: Stage, total: int, say: Say) -> str:
    """So many events; what became of them, in a sentence. Raises Fault."""
    began = time.monotonic()
    stage.flag.touch()
    stage.publish(total // 2)
    for _ in range(MEMBERS):
        stage.start()
    await until(lambda: all(len(stage.effects(name)) > total // 10 for name in CONSUMERS), 60)
    stage.kill(stage.members[0])
    stage.publish(total - total // 2)
    await stage.settled()
    waiting = _waiting(total)
    async with DeadLetters(stage.config.offsets_url, patience_s=5) as client:
        for name in CONSUMERS:
            _compare(name, await _letters(client, name), waiting)
        stage.agrees(without=set(waiting))
        say(f"{len(waiting)} events wait, {time.monotonic() - began:.0f} s")
        stage.flag.unlink()
        for name in CONSUMERS:
            await client.retry(name, RetryLetters(all=True))
        await until(lambda: any(len(stage.effects(name)) > total - len(waiting) for name in CONSUMERS), 60)
        stage.kill(stage.members[0])
        await until(lambda: _none_left(client), 120)
    await stage.settled()
    await stage.stop()
    stage.agrees()
    return (
        f"{total} events, {sum(map(poisoned, waiting))} of them poisoned, {len(waiting)} set aside in order and "
        f"brought back, 2 kills, {time.monotonic() - began:.0f} s: the effects are the log"
    )


def _waiting(last: int) -> list[int]:
    """What must be set aside: each poisoned event, and everything behind it of its originator."""
    first: dict[str, int] = {}
    for position in filter(poisoned, range(1, last + 1)):
        first.setdefault(originator(position), position)
    return [p for p in range(1, last + 1) if p >= first.get(originator(p), last + 1)]


async def _letters(client: DeadLetters, name: str) -> list[Kept]:
    found: list[Kept] = []
    after: str | None = None
    while True:
        page = await client.letters(name, limit=1000, after=after)
        found += page.letters
        after = page.next
        if after is None:
            return found


def _compare(name: str, letters: list[Kept], waiting: list[int]) -> None:
    found = sorted(letter.position or 0 for letter in letters)
    if found != waiting:
        raise Fault(f"{name}: set aside {found[:20]} …, and it should be {waiting[:20]} …")
    first: dict[str, int] = {}
    for letter in letters:  # in the order of their offsets
        before = first.setdefault(letter.key, 0)
        if (letter.position or 0) <= before or (before == 0 and not letter.failed):
            raise Fault(f"{name}: the letters of {letter.key} are not in order, or begin with one that did not fail")
        first[letter.key] = letter.position or 0


async def _none_left(client: DeadLetters) -> bool:
    letters = [letter for name in CONSUMERS for letter in (await client.letters(name, limit=1)).letters]
    return not letters and not [key for name in CONSUMERS for key in (await client.parked(name)).parked]
