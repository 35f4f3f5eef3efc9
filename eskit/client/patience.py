"""How long somebody goes on trying, with growing, jittered pauses."""

from __future__ import annotations

import asyncio
import random

from eskit.errors import Unavailable

RETRY_LEAST_S = 0.05
RETRY_MOST_S = 5.0


class Patience:
    """The pauses between attempts at one thing, until it is given up."""

    def __init__(self, patience_s: float) -> None:
        """`patience_s`: how long it may fail, from the beginning or from when it last `worked`."""
        self._patience_s = patience_s
        self._pause_s = RETRY_LEAST_S
        self._deadline: float | None = asyncio.get_running_loop().time() + patience_s

    def worked(self) -> None:
        """It did: patience begins anew, with the next failure. (What has been quiet for long has not failed.)"""
        self._deadline = None
        self._pause_s = RETRY_LEAST_S

    async def pause(self, error: Unavailable) -> None:
        """Wait before the next attempt, as long as the service asks for; raises the error when patience ends first."""
        self._pause_s = min(self._pause_s * 2, RETRY_MOST_S)
        # Jitter comes on top of what the service asks for: it says the same to all that it turns away.
        wait_s = random.uniform(self._pause_s / 2, self._pause_s)  # noqa: S311 - spreads retries, keeps no secret
        wait_s += error.extra.get("retry_after_s", 0.0)
        now = asyncio.get_running_loop().time()
        if self._deadline is None:
            self._deadline = now + self._patience_s
        if now + wait_s > self._deadline:
            raise error
        await asyncio.sleep(wait_s)
