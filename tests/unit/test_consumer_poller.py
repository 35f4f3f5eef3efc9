"""The Kafka thread as the event loop sees it: questions do not hold it up, and each gets an answer."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable
from typing import Any

import pytest

from eskit.consumer.group import poller
from eskit.consumer.group.bridge import Bridge, Callbacks, Partitions
from eskit.consumer.group.poller import Poller
from eskit.errors import Unavailable


class FakeMembership:
    """Brokers that are away: each question takes a while."""

    checks = 0
    asked = threading.Event()
    takes_s = 0.3
    leaving_s = 0.0
    ended = False
    held = ""

    def __init__(self, *_: Any) -> None: ...

    def step(self) -> None:
        time.sleep(0.001)

    def check(self) -> str:
        type(self).checks += 1
        self.asked.set()
        time.sleep(self.takes_s)
        return "Kafka is away"

    def leave(self) -> None:
        time.sleep(self.leaving_s)


@pytest.fixture
def member(monkeypatch: pytest.MonkeyPatch) -> type[FakeMembership]:
    class Member(FakeMembership):
        asked = threading.Event()

    monkeypatch.setattr(poller, "Membership", Member)
    return Member


def started() -> Poller:
    async def nothing(_: Partitions) -> None: ...

    callbacks = Callbacks(lambda _: None, nothing, nothing, lambda _: None, 1.0)
    found = Poller({}, "t", Bridge(callbacks))
    found.start()
    return found


async def said(check: Awaitable[None]) -> str:
    with pytest.raises(Unavailable) as caught:
        await asyncio.wait_for(check, 5)
    return caught.value.detail


async def test_many_probes_are_one_question_and_do_not_delay_the_end(member: type[FakeMembership]) -> None:
    asked = started()
    try:
        impatient = asyncio.create_task(asked.check())
        others = [asyncio.create_task(said(asked.check())) for _ in range(20)]
        assert await asyncio.to_thread(member.asked.wait, 5)
        impatient.cancel()
        assert set(await asyncio.gather(*others)) == {"Kafka is away"}
        assert await said(asked.check()) == "Kafka is away"  # of a moment ago
        assert member.checks == 1
    finally:
        begun = time.monotonic()
        await asyncio.wait_for(asked.stop(), 5)
    assert time.monotonic() - begun < 2 * member.takes_s


async def test_an_old_answer_is_not_given_again(member: type[FakeMembership], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poller, "FRESH_S", 0.0)
    member.takes_s = 0.0
    asked = started()
    for _ in range(3):
        assert await said(asked.check()) == "Kafka is away"
        await asyncio.sleep(0.01)
    await asyncio.wait_for(asked.stop(), 5)
    assert member.checks == 3


async def test_who_asks_at_the_end_gets_an_answer(member: type[FakeMembership]) -> None:
    """Before it, during it, after it; also when nobody has stopped the thread."""
    member.leaving_s = 0.3
    asked = started()
    before = asyncio.create_task(said(asked.check()))
    assert await asyncio.to_thread(member.asked.wait, 5)
    stopping = asyncio.create_task(asked.stop())
    assert await before == poller.ENDING
    assert await said(asked.check()) == poller.ENDING
    assert not stopping.done()
    await asyncio.wait_for(stopping, 5)
    assert await said(asked.check()) == poller.ENDING


async def test_who_asks_a_thread_that_fails_gets_an_answer(
    member: type[FakeMembership], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: FakeMembership) -> None:
        raise ValueError

    monkeypatch.setattr(member, "step", fail)
    asked = started()
    assert await said(asked.check()) in (poller.ENDING, "Kafka is away")
    await asyncio.wait_for(asked.stop(), 5)
