"""Which life of the topic we read: told at each claim, and asked now and then, as Kafka may not say a word."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from eskit import logs
from eskit.errors import Unavailable

log = logs.get(__name__)


class Identity:
    """The topic's id as it was last asked for; None: the brokers have none to tell."""

    def __init__(self, ask: Callable[[], Awaitable[str | None]]) -> None:
        """Nothing is asked yet."""
        self._ask = ask
        self._known: str | None = None

    async def now(self) -> str | None:
        """Ask, and keep it. Raises Unavailable."""
        self._known = await self._ask()
        return self._known

    async def watch(self, every_s: float, changed: Callable[[], None]) -> None:
        """Call `changed` when the topic is another one than it was when it was claimed.

        A topic that is deleted and made anew within seconds is the same one to a member of the classic protocol: it
        reads on at its offset, past records that it has never seen.
        """
        while True:
            await asyncio.sleep(random.uniform(every_s / 2, every_s))  # noqa: S311 - spreads, keeps no secret
            if (known := self._known) is None:
                continue
            try:
                found = await self._ask()
            except Unavailable:
                continue
            # A claim that has asked meanwhile has told it, too.
            if self._known == known and found not in (None, known):
                log.warning("the topic was made anew", was=known, now=found)
                self._known = None
                changed()
