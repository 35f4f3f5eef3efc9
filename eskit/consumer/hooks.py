"""The user's functions that are called around a partition: before its first event, after its last."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from eskit import logs
from eskit.errors import EskitError

log = logs.get(__name__)

Hook = Callable[[set[int]], Awaitable[None]]


class Hooks:
    """Calls them, one after the other. An error of one is told to `failed`, and the rest is left out."""

    def __init__(self, failed: Callable[[BaseException], None], end: asyncio.Event, grace_s: float) -> None:
        """`end`: of the consumer. `grace_s`: how long a cancelled hook is waited for."""
        self._failed = failed
        self._end = end
        self._grace_s = grace_s

    async def call(self, hooks: list[Hook], partitions: Iterable[int]) -> None:
        """Return when they have returned."""
        try:
            for hook in hooks:
                await hook(set(partitions))
        except Exception as error:
            log.exception("a hook failed")
            self._failed(error)

    async def call_until_end(self, hooks: list[Hook], partitions: Iterable[int]) -> None:
        """The same, but the consumer's end cancels them: what they prepare is needed no more, and one may hang."""
        calls = asyncio.create_task(self.call(hooks, partitions))
        ending = asyncio.create_task(self._end.wait())
        try:
            await asyncio.wait([calls, ending], return_when=asyncio.FIRST_COMPLETED)
            if calls.cancelled():
                self._failed(EskitError("a hook was cancelled, and not by us: by something that it waited for"))
            elif calls.cancel():
                await asyncio.wait([calls], timeout=self._grace_s)
        finally:
            calls.cancel()
            ending.cancel()
