"""The end of a partition's work, as those who are at it see it: begin nothing more, or leave even what is at work."""

from __future__ import annotations

import asyncio


def cancelled_after_all() -> None:
    """Raises CancelledError when our task was cancelled and a handler has kept that to itself."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


class Stopping:
    """`halt` lets what is at work end, `abandon` says that whatever becomes of it counts for nothing."""

    def __init__(self) -> None:
        self._halted = asyncio.Event()
        self.abandoned = False

    @property
    def halted(self) -> bool:
        """Whether nothing more shall begin."""
        return self._halted.is_set()

    def halt(self) -> None:
        """Begin nothing more; pauses end now."""
        self._halted.set()

    def abandon(self) -> None:
        """What is at work is cancelled. Whatever it makes of that: its event is not done, nothing follows it."""
        self.abandoned = True
        self.halt()

    async def pause(self, seconds: float) -> bool:
        """Wait; whether it was told to stop meanwhile."""
        try:
            async with asyncio.timeout(seconds):
                await self._halted.wait()
        except TimeoutError:
            return False
        return True
