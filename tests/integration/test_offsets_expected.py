"""Commits that say which offset they believe is stored."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from eskit.client.offsets import Offsets
from eskit.errors import Fenced, NotFound, OffsetMismatch, OffsetRegression
from eskit.offsets import Commit, Committed
from eskit.settings import Settings
from offsets_svc.app import offsets_app
from tests.services import running

TOPIC = "eskit.application-log"


@pytest.fixture
async def offsets(config: Settings) -> AsyncIterator[Offsets]:
    async with running(offsets_app(config), config, "offsets_port") as url, Offsets(url) as client:
        yield client


async def test_only_what_is_stored_may_be_expected(offsets: Offsets) -> None:
    [owner] = await offsets.claim("billing", TOPIC, [0], "host")
    for wrong in (0, 7):
        with pytest.raises(OffsetMismatch) as caught:
            await offsets.commit("billing", Commit(TOPIC, 0, offset=7, epoch=owner.epoch, expected=wrong))
        assert (caught.value.extra["stored"], caught.value.field) == (None, "expected")
    await offsets.commit("billing", Commit(TOPIC, 0, offset=7, epoch=owner.epoch, expected=None))
    for other in (None, 6, 8):
        with pytest.raises(OffsetMismatch) as caught:
            await offsets.commit("billing", Commit(TOPIC, 0, offset=9, epoch=owner.epoch, expected=other))
        assert caught.value.extra["stored"] == 7
    await offsets.commit("billing", Commit(TOPIC, 0, offset=9, epoch=owner.epoch, expected=7))
    assert (await offsets.consumer("billing")).partitions[0].offset == 9


async def test_what_is_worse_is_said_first(offsets: Offsets) -> None:
    [owner] = await offsets.claim("billing", TOPIC, [0], "host")
    await offsets.commit("billing", Commit(TOPIC, 0, offset=7, epoch=owner.epoch))
    with pytest.raises(Fenced):
        await offsets.commit("billing", Commit(TOPIC, 0, offset=1, epoch=owner.epoch - 1, expected=1))
    with pytest.raises(OffsetMismatch):
        await offsets.commit("billing", Commit(TOPIC, 0, offset=1, epoch=owner.epoch, expected=1))
    with pytest.raises(OffsetRegression):
        await offsets.commit("billing", Commit(TOPIC, 0, offset=1, epoch=owner.epoch, expected=7))


async def test_without_a_claim_and_without_a_row(offsets: Offsets) -> None:
    with pytest.raises(OffsetMismatch):
        await offsets.commit("script", Commit(TOPIC, 0, offset=7, expected=3))
    with pytest.raises(NotFound):
        await offsets.consumer("script")
    assert (await offsets.commit("script", Commit(TOPIC, 0, offset=7, expected=None))).offset == 7
    [again, fresh] = await offsets.commit_all(
        "script", [Commit(TOPIC, 0, offset=8, expected=7), Commit(TOPIC, 1, offset=1, expected=None)]
    )
    assert (isinstance(again, Committed), isinstance(fresh, Committed)) == (True, True)


async def test_of_many_who_expect_the_same_one_is_taken(offsets: Offsets) -> None:
    """Also where all want to store the same: it is how one of them may know that it was the first."""
    [owner] = await offsets.claim("billing", TOPIC, [0], "host")
    stored: int | None = None
    for step in range(1, 20):
        wanted = Commit(TOPIC, 0, offset=10 * step, epoch=owner.epoch, expected=stored)
        found = await asyncio.gather(*(offsets.commit("billing", wanted) for _ in range(12)), return_exceptions=True)
        assert sum(isinstance(one, Committed) for one in found) == 1
        refused = [one for one in found if isinstance(one, OffsetMismatch)]
        assert {one.extra["stored"] for one in refused} == {10 * step}
        assert len(refused) == 11
        stored = 10 * step


async def test_of_many_first_commits_one_is_taken(offsets: Offsets) -> None:
    for number in range(10):
        wanted = Commit(TOPIC, 0, offset=5, expected=None)
        found = await asyncio.gather(*(offsets.commit(f"s{number}", wanted) for _ in range(8)), return_exceptions=True)
        assert sum(isinstance(one, Committed) for one in found) == 1
        assert sum(isinstance(one, OffsetMismatch) for one in found) == 7
