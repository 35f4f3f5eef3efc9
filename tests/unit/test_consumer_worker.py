"""A worker whose partition is given up, with a handler that does not want to end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest

from eskit.consumer import Record, Tuning
from eskit.consumer.delivery.catchup import CatchUp
from eskit.consumer.delivery.policy import Policy
from eskit.consumer.delivery.progress import Progress
from eskit.consumer.delivery.routes import Routes
from eskit.consumer.delivery.worker import Delivery, Surroundings, Worker
from eskit.consumer.group.inbox import Inbox
from eskit.consumer.stats import Stats
from eskit.kafka.record import Source
from eskit.offsets import Claim
from eskit.testing.letters import KeptLetters
from tests.integration.consuming import stored


class FakeMessage:
    """The record of the first event."""

    def __init__(self) -> None:
        self._record = Source("main").record(stored(1))

    def __len__(self) -> int:
        return len(self._record.value)

    def offset(self) -> int:
        return 0

    def value(self) -> bytes:
        return self._record.value

    def headers(self) -> list[tuple[str, str | bytes | None]]:
        return list(self._record.headers)


class Stubborn:
    """A first handler that swallows its cancellation, and a second one."""

    def __init__(self) -> None:
        self.entered, self.free = asyncio.Event(), asyncio.Event()
        self.calls: list[str] = []
        self.error: Exception | None = None

    async def first(self, _: Record) -> None:
        self.calls.append("first")
        self.entered.set()
        while not self.free.is_set():
            try:
                await self.free.wait()
            except asyncio.CancelledError:
                self.calls.append("cancelled")
        if self.error:
            raise self.error

    async def second(self, _: Record) -> None:
        self.calls.append("second")


async def killed(worker: Worker) -> None:
    worker.kill()
    await worker.stop(0.05)


async def stopped(worker: Worker) -> None:
    await worker.stop(0.05)


@pytest.mark.parametrize("give_up", [killed, stopped])
@pytest.mark.parametrize("error", [None, ValueError()])
async def test_what_a_cancelled_handler_does_then_counts_for_nothing(
    give_up: Callable[[Worker], Awaitable[None]], error: Exception | None
) -> None:
    stubborn, catch_up, stats = Stubborn(), CatchUp(), Stats()
    stubborn.error = error
    routes = Routes()
    routes.add((), stubborn.first)
    routes.add((), stubborn.second)
    tuning = Tuning()
    progress = Progress("t", Claim(0, epoch=1))
    inbox = Inbox(tuning, threading.Event())
    policy = Policy.of({}, tuning, in_memory=False)
    around = Surroundings(routes, stats, catch_up, tuning, policy, Delivery(), lambda _: None)
    worker = Worker(progress, inbox, around, KeptLetters().at("c", 0, routes))
    ended = asyncio.Event()
    worker.start(lambda _: ended.set())
    inbox.put([FakeMessage()])  # type: ignore[list-item]
    await stubborn.entered.wait()
    waiting = asyncio.ensure_future(catch_up.reached(1))
    await give_up(worker)
    assert not ended.is_set()
    stubborn.free.set()
    await asyncio.wait_for(ended.wait(), 5)
    await asyncio.sleep(0)
    assert "cancelled" in stubborn.calls
    assert "second" not in stubborn.calls
    assert (progress.commit(), stats.handled, waiting.done()) == (None, 0, False)
    waiting.cancel()
