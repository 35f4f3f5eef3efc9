"""Lists and searches: what was written is there, filtered, sorted, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from eskit.settings import Settings
from tests.integration.viewing import Lists, viewed

pytestmark = pytest.mark.real_kafka


@pytest.fixture
async def lists(log_config: Settings) -> AsyncIterator[Lists]:
    async with viewed(log_config, view_wait_s=20.0) as found:
        yield found


async def test_a_list_has_what_was_written_before_it_was_asked_for(lists: Lists) -> None:
    assert await lists() == {"entities": [], "next": None}
    for number in range(30):
        ident = f"user-{number:02}"
        await lists.crud.create(ident, {"n": number, "name": f"Ann {number}", "exact": 1.0})
        assert (await lists.ids(limit=7))[-1] == ident
    await lists.crud.merge("user-03", {"n": 3000})
    await lists.crud.delete("user-04")
    assert (await lists.ids(filter__n="3000")) == ["user-03"]
    assert "user-04" not in await lists.ids()
