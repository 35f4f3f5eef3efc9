"""From the Kafka thread to the event loop: tell it something, or ask it to finish something."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError
from typing import Any, NamedTuple

from eskit import logs
from eskit.errors import EskitError

log = logs.get(__name__)

Partitions = frozenset[int]


class Callbacks(NamedTuple):
    """What the thread tells the event loop. `revoked` and `lost` it waits for, `within_s` at most."""

    assigned: Callable[[Partitions], None]
    revoked: Callable[[Partitions], Coroutine[Any, Any, None]]
    lost: Callable[[Partitions], Coroutine[Any, Any, None]]
    failed: Callable[[BaseException], None]
    within_s: float


class Bridge:
    """Made on the event loop, used by the thread. A loop that has ended already is no error."""

    def __init__(self, callbacks: Callbacks) -> None:
        self._callbacks = callbacks
        self._loop = asyncio.get_running_loop()

    def tell(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Run it on the loop; does not wait."""
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:
            log.warning("the event loop has ended before the consumer was stopped")

    def assigned(self, partitions: Partitions) -> None:
        """The group gave us these."""
        self.tell(self._callbacks.assigned, partitions)

    def failed(self, error: BaseException) -> None:
        """The consumer cannot go on."""
        self.tell(self._callbacks.failed, error)

    def revoked(self, partitions: Partitions) -> None:
        """The group wants these back: returns when their handlers stand still and what they did is committed."""
        self._ask(self._callbacks.revoked(partitions), partitions)

    def lost(self, partitions: Partitions) -> None:
        """These may be somebody else's already: returns when their handlers stand still."""
        self._ask(self._callbacks.lost(partitions), partitions)

    def _ask(self, work: Coroutine[Any, Any, None], partitions: Partitions) -> None:
        if self._loop.is_closed():
            work.close()
            return
        try:
            asyncio.run_coroutine_threadsafe(work, self._loop).result(self._callbacks.within_s)
        except (TimeoutError, CancelledError, EskitError) as error:
            # Whoever gets the partitions handles again what was not committed; his claim fences our commits.
            log.warning("partitions given up without an end", partitions=sorted(partitions), error=str(error))
