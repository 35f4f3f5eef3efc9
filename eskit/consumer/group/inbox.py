"""The hand-over of one partition's records from the Kafka thread to the event loop, bounded in number and bytes."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from confluent_kafka import Message

from eskit.consumer.config import Tuning


class Marks(NamedTuple):
    """The offsets of a partition's first record, and of its end, as the latest answer to a fetch said."""

    low: int
    high: int


class Inbox:
    """Written by the thread (`put`), read by the loop (`get`); the bounds are checked by the thread.

    Each counter has one writer, and a deque's ends are safe to use from two threads: so there is no lock.
    """

    def __init__(self, tuning: Tuning, room: threading.Event) -> None:
        """`room` is set for the thread when the inbox is no longer full. Made on the event loop."""
        self._queue: deque[Message] = deque()
        self._bytes_in = 0
        self._bytes_out = 0
        self._limits = (tuning.queue_events, tuning.queue_bytes)
        self._room = room
        self._loop = asyncio.get_running_loop()
        self._arrived = asyncio.Event()
        self._waiting = False
        self.closed = False
        self.marks: Marks | None = None

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def first(self) -> Message | None:
        """The record that is next; None: there is none yet."""
        return self._queue[0] if self._queue else None

    @property
    def full(self) -> bool:
        """Whether the thread should stop fetching for this partition."""
        return len(self._queue) >= self._limits[0] or self._bytes_in - self._bytes_out >= self._limits[1]

    @property
    def low(self) -> bool:
        """Whether it should fetch again."""
        return len(self._queue) * 2 <= self._limits[0] and (self._bytes_in - self._bytes_out) * 2 <= self._limits[1]

    def lag(self, next_offset: int | None) -> int | None:
        """Records from there on (None: from the first) to the partition's end; None: Kafka has not answered yet."""
        if (marks := self.marks) is None:
            return None
        return max(0, marks.high - (marks.low if next_offset is None else max(marks.low, next_offset)))

    def put(self, messages: Sequence[Message]) -> None:
        """Add records (the thread)."""
        self._bytes_in += sum(map(len, messages))
        self._queue.extend(messages)
        # `get` announces that it waits before it looks a last time, so one of the two sees the other.
        if self._waiting:
            with suppress(RuntimeError):  # the loop is closed, nobody waits any more
                self._loop.call_soon_threadsafe(self._arrived.set)

    async def take(self, most: int, wait_s: float = 0.0) -> list[Message]:
        """The next records, at least one, waiting so long for `most` of them; none when it is closed (the loop)."""
        while not self.closed:
            if self._queue:
                if wait_s and len(self._queue) < most:
                    await self._more(most, wait_s)
                return self._take(most)
            await self._news()
        return []

    async def _news(self) -> None:
        self._waiting = True
        self._arrived.clear()
        if not self._queue and not self.closed:
            await self._arrived.wait()
        self._waiting = False

    async def _more(self, most: int, wait_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                self._waiting = True
                while not self._enough(most):
                    await self._arrived.wait()
        self._waiting = False

    def _enough(self, most: int) -> bool:
        # Cleared before it is looked at: what comes in between sets it again.
        self._arrived.clear()
        return len(self._queue) >= most or self.full or self.closed

    def _take(self, most: int) -> list[Message]:
        was_full = self.full
        messages = [self._queue.popleft() for _ in range(min(most, len(self._queue)))]
        self._bytes_out += sum(map(len, messages))
        if was_full and not self.full:
            self._room.set()
        return messages

    def close(self) -> None:
        """No record is given out any more (the loop)."""
        self.closed = True
        self._queue.clear()
        self._arrived.set()
        self._room.set()
