"""P5: what an epoch is good for, also when its partition's row was deleted or set back meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator

import psycopg
import pytest

from eskit.client.offsets import Offsets
from eskit.errors import Fenced, NotFound, OffsetRegression
from eskit.offsets import Claim, Commit
from eskit.settings import Settings
from infra.local import republish
from offsets_svc.app import offsets_app
from tests.services import running

TOPIC = "eskit.application-log"


@pytest.fixture
async def offsets(config: Settings) -> AsyncIterator[Offsets]:
    async with running(offsets_app(config), config, "offsets_port") as url, Offsets(url) as client:
        yield client


async def claim(offsets: Offsets, member: str) -> Claim:
    [claimed] = await offsets.claim("billing", TOPIC, [0], member)
    return claimed


async def test_a_first_claim_has_an_epoch_and_nothing_saved(offsets: Offsets) -> None:
    claims = await offsets.claim("billing", TOPIC, [2, 0, 1], "host-1")
    assert [(c.partition, c.offset, c.position) for c in claims] == [(p, None, None) for p in range(3)]
    assert all(c.epoch > 0 for c in claims)


async def test_the_next_claim_gets_a_higher_epoch_and_what_was_committed(offsets: Offsets) -> None:
    before = await offsets.claim("billing", TOPIC, [0, 1], "host-1")
    await offsets.commit("billing", Commit(TOPIC, 0, offset=7, position=40, epoch=before[0].epoch))
    after = await offsets.claim("billing", TOPIC, [0, 1], "host-2")
    assert [(c.offset, c.position) for c in after] == [(7, 40), (None, None)]
    assert all(new.epoch > old.epoch for new, old in zip(after, before, strict=True))


async def test_an_epoch_that_was_not_given_out_yet_is_refused_too(offsets: Offsets) -> None:
    epoch = (await claim(offsets, "host")).epoch
    for other in (epoch + 1, 99):
        with pytest.raises(Fenced):
            await offsets.commit("billing", Commit(TOPIC, 0, offset=7, epoch=other))
    with pytest.raises(Fenced) as caught:
        await offsets.commit("nobody", Commit(TOPIC, 0, offset=7, epoch=epoch))
    assert caught.value.extra["epoch"] == 0
    with pytest.raises(NotFound):
        await offsets.consumer("nobody")


async def test_without_an_epoch_only_what_nobody_ever_claimed(offsets: Offsets) -> None:
    assert (await offsets.commit("billing", Commit(TOPIC, 0, offset=7))).epoch == 0
    assert (await offsets.commit("billing", Commit(TOPIC, 0, offset=8))).offset == 8
    with pytest.raises(OffsetRegression):
        await offsets.commit("billing", Commit(TOPIC, 0, offset=7))
    epoch = (await claim(offsets, "host")).epoch
    with pytest.raises(Fenced) as caught:
        await offsets.commit("billing", Commit(TOPIC, 0, offset=9))
    assert caught.value.extra["epoch"] == epoch


@pytest.mark.parametrize("gone", ["offsets", "consumers"])
async def test_a_zombie_moves_no_offset_after_its_row_was_deleted(
    offsets: Offsets, config: Settings, gone: str
) -> None:
    """Whether somebody has claimed the partition since or not."""
    zombies = [await claim(offsets, f"zombie {n}") for n in range(3)]
    with psycopg.connect(config.database_url, autocommit=True) as connection:
        connection.execute(f"DELETE FROM offsets.{gone}")
    for _ in range(4):
        for zombie in zombies:
            with pytest.raises(Fenced):
                await offsets.commit("billing", Commit(TOPIC, 0, offset=500, position=500, epoch=zombie.epoch))
        owner = await claim(offsets, "owner")
        assert (owner.offset, owner.position) == (None, None)


async def test_a_reset_lets_consumers_begin_anew_and_fences_those_that_run(offsets: Offsets, config: Settings) -> None:
    """As the local stack does it when the log is published anew."""
    old = await claim(offsets, "host")
    await offsets.commit("billing", Commit(TOPIC, 0, offset=7, position=40, epoch=old.epoch))
    await offsets.commit("script", Commit(TOPIC, 0, offset=7))
    republish.reset_offsets(config)
    with pytest.raises(Fenced):
        await offsets.commit("billing", Commit(TOPIC, 0, offset=8, position=41, epoch=old.epoch))
    assert (await offsets.commit("script", Commit(TOPIC, 0, offset=1))).offset == 1
    new = await claim(offsets, "host")
    assert (new.offset, new.position) == (None, None)
    assert (await offsets.commit("billing", Commit(TOPIC, 0, offset=1, position=1, epoch=new.epoch))).offset == 1
