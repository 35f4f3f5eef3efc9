"""How a claim reaches a view: the newest counts, and a reset of the consumer is one of the view."""

from __future__ import annotations

from collections.abc import AsyncIterator

import psycopg
import pytest

from eskit.consumer import Target
from eskit.consumer.transactions.target import View, open_view
from eskit.errors import Fenced
from eskit.offsets import Claim
from eskit.settings import Settings


@pytest.fixture
async def view(config: Settings) -> AsyncIterator[View]:
    """One whose partition 0 stands at 50, by the claim 7."""
    async with open_view(Target("view"), config, "ledger") as view:
        await view.prepare(())
        assert await view.begin(Claim(0, 7)) == Claim(0, 7)
        with psycopg.connect(config.database_url, autocommit=True) as connection:
            connection.execute("UPDATE view.eskit_progress SET next_offset = 50, position = 500")
            connection.execute("INSERT INTO view.eskit_drained SELECT consumer, topic, 0, 12 FROM view.eskit_progress")
        yield view


def drained(config: Settings) -> int:
    with psycopg.connect(config.database_url) as connection:
        return len(connection.execute("SELECT FROM view.eskit_drained").fetchall())


async def test_the_views_own_offset_counts(config: Settings, view: View) -> None:
    """The offsets service may lag behind, or be a backup's."""
    assert await view.begin(Claim(0, 9, offset=40, position=400)) == Claim(0, 9, 50, 500)
    assert drained(config) == 1


async def test_a_claim_that_comes_late_is_refused(view: View) -> None:
    await view.begin(Claim(0, 9))
    for epoch in (8, 9):
        with pytest.raises(Fenced):
            await view.begin(Claim(0, epoch))


@pytest.mark.parametrize(("offset", "position"), [(0, None), (3, 30), (90, 900), (None, None)])
async def test_a_reset_reaches_the_view_once(
    config: Settings, view: View, offset: int | None, position: int | None
) -> None:
    reset = Claim(0, 9, offset, position, reset=8)
    assert await view.begin(reset) == reset
    assert drained(config) == ((offset or 0) > 12)  # its letter is left
    with psycopg.connect(config.database_url, autocommit=True) as connection:
        connection.execute("UPDATE view.eskit_progress SET next_offset = 60, position = 600")
    assert await view.begin(Claim(0, 11, offset, position, reset=8)) == Claim(0, 11, 60, 600, 8)


async def test_a_new_view_begins_where_its_consumer_was_reset_to(config: Settings, view: View) -> None:
    """Otherwise it begins at the beginning, whatever was done without it."""
    assert config.database_url
    assert await view.begin(Claim(1, 9, offset=20, position=200)) == Claim(1, 9)
    assert await view.begin(Claim(2, 9, 20, 200, reset=8)) == Claim(2, 9, 20, 200, 8)
