"""The life of one run: its tasks, its end, and the error that it ends with."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


class Life:
    """Made on the event loop. A task that fails ends it."""

    def __init__(self) -> None:
        self.end = asyncio.Event()
        self.error: BaseException | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def stop(self) -> None:
        """Let it come to its end."""
        self.end.set()

    def fail(self, error: BaseException) -> None:
        """Let it come to its end with an error; the first counts."""
        self.error = self.error or error
        self.end.set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside, until `cancel`."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)

    async def cancel(self) -> None:
        """End the tasks; returns when they have."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Run it to its end, however often we are cancelled meanwhile; its time is bounded."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    task.result()
    if cancelled is not None:
        raise cancelled
