"""Lists on a log in memory answer as those of the entity view do; what both share is tested with the view."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from crud_svc.api.resources import ENTITIES, STORE
from crud_svc.in_process import app_on
from eskit.settings import Settings
from eskit.testing.log import Log
from tests.integration.crud_calls import Crud
from tests.integration.test_lists import FILTERS, PEOPLE, SORTS
from tests.integration.viewing import Lists
from tests.services import config_for, running


@pytest.fixture
async def people() -> AsyncIterator[Lists]:
    config = config_for("")
    app = app_on(Log(), Settings())
    async with running(app, config, "crud_port") as url, aiohttp.ClientSession() as session:
        lists = Lists(Crud(url, session, app[STORE], app[ENTITIES]))
        for ident, document in PEOPLE.items():
            assert (await lists.crud.create(ident, document)).status == 201
        yield lists


async def test_filters_and_sorts(people: Lists) -> None:
    for query, wanted in FILTERS:
        found = [one["id"] for one in (await people.raw(query))["entities"]]
        assert found == [ident for ident in wanted if ident != "gil"], query
    for sort, wanted in SORTS:
        assert await people.ids(sort=sort, limit=2) == [ident for ident in wanted if ident != "gil"], sort


async def test_counts_and_indexes(people: Lists) -> None:
    assert (await people(count="exact", limit=1, filter__age__gt="7"))["count"] == 3
    declared = await people.crud.call("POST", "/v1/types/User/indexes", {"fields": ["city"]})
    assert declared.status == 201
    [index] = (await people.crud.call("GET", "/v1/types/User/indexes")).json["indexes"]
    assert (index["fields"], index["state"]) == (["/city"], "waiting")
