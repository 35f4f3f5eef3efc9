"""Declared indexes: built beside the view's work, used, asked for where a list would look at too much."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import psycopg
import pytest

from crud_svc.view.fields import SortKey, field
from crud_svc.view.filters import conditions
from crud_svc.view.indexes import DECLARATIONS
from crud_svc.view.listing import Listing
from crud_svc.view.statements import page
from eskit.settings import Settings
from tests.integration.appending import new_event
from tests.integration.crud_calls import Reply, crud_service
from tests.integration.viewing import Lists, viewed
from tests.services import until

pytestmark = pytest.mark.real_kafka

PATH = "/v1/types/User/indexes"


@pytest.fixture
async def lists(log_config: Settings) -> AsyncIterator[Lists]:
    """Fifty users, of whom a list may look at ten."""
    async with viewed(log_config, view_wait_s=20.0, view_scan_rows=10) as found:
        for number in range(50):
            document = {"city": f"city-{number % 5}", "age": number // 5, "name": "x" * 3000 + str(number), "n": number}
            await found.crud.create(f"user-{number:02}", document)
        yield found


async def declare(lists: Lists, *fields: str) -> Reply:
    return await lists.crud.call("POST", PATH, {"fields": list(fields)})


async def all_ready(lists: Lists) -> bool:
    found = (await lists.crud.call("GET", PATH)).json["indexes"]
    return all(index["state"] == "ready" for index in found)


async def refused(lists: Lists, **query: Any) -> list[str]:
    """The fields of the index that it is told to declare."""
    found = await lists(status=422, **query)
    assert found["code"] == "index-needed", found
    fields: list[str] = found["index"]["fields"]
    assert ", ".join(fields) in found["detail"]
    return fields


async def test_a_list_that_would_look_at_too_much_names_the_index_it_needs(lists: Lists) -> None:
    await lists(limit=50)
    assert await refused(lists, filter__city="city-1") == ["/city"]
    assert await refused(lists, sort="-age") == ["-/age"]
    assert await refused(lists, filter__city="city-1", sort="-age,n") == ["/city", "-/age", "/n"]
    assert await refused(lists, filter__age__gt="7") == ["/age"]
    assert await refused(lists, filter__city="city-1", filter__age__gt="7") == ["/city", "/age"]
    wrong = await lists(status=422, deleted="true", sort="age")
    assert (wrong["code"], wrong["field"], "index" in wrong) == ("index-needed", "deleted", False)
    assert (await lists(kind="Other", sort="age"))["entities"] == []


async def test_with_the_index_it_is_answered(lists: Lists) -> None:
    for fields in (["city", "-age"], ["age"], ["/name"]):
        reply = await declare(lists, *fields)
        assert (reply.status, reply.json["state"]) == (201, "waiting")
    assert (await declare(lists, "/city", "-/age")).status == 200
    await until(lambda: all_ready(lists), 20)
    wanted = [f"user-{number:02}" for number in range(46, 0, -5)]

    async def answered() -> bool:
        path = "/v1/entities/User?sort=age&limit=1"
        return (await lists.crud.call("GET", path)).status == 200

    await until(answered)
    assert await lists.ids(filter__city="city-1", sort="-age", limit=4) == wanted
    assert await lists.ids(filter__city="city-1", sort="age", limit=4) == wanted[::-1]
    assert await lists.ids(filter__city="city-1", limit=4) == wanted[::-1]
    assert await lists.ids(filter__city="city-1", filter__age__gte="8") == ["user-41", "user-46"]
    assert await lists.ids(filter__city="city-1", filter__n="6") == ["user-06"], "few enough to look at"
    assert len(await lists.ids(sort="-age", limit=20)) == 50
    assert await lists.ids(filter__name="x" * 900) == []
    assert await refused(lists, filter__age__gte="3", sort="n") == ["/n"]
    narrow = await lists(status=422, filter__age__gte="3", filter__n__gte="3", sort="age")
    assert "narrow its filters" in narrow["detail"]


async def test_the_planner_uses_it(lists: Lists, log_config: Settings) -> None:
    await declare(lists, "city", "-age")
    await until(lambda: all_ready(lists), 20)
    listing = Listing("User", conditions([("filter.city", "city-1")]), (SortKey(field("age", "sort"), True),))
    text, values = page(listing, None, limit=10, with_body=True)
    values |= {"consumer": "entity-view", "topic": log_config.topic}
    schema = log_config.schema("entity_view")
    async with await psycopg.AsyncConnection.connect(log_config.database_url, autocommit=True) as connection:
        await connection.execute(f"SET search_path = {schema}".encode())
        await connection.execute("SET enable_seqscan = off")
        await connection.execute("SET enable_sort = off")
        cursor = await connection.execute(f"EXPLAIN {text}".encode(), values, prepare=False)
        plan = "\n".join(row[0] for row in await cursor.fetchall())
    [used] = [line for line in plan.splitlines() if "entities_by_" in line]
    assert "Index Scan using" in used
    assert "Sort" not in plan.partition("Index Scan using")[0].partition("WindowAgg")[2], plan


async def test_indexes_come_and_go_and_broken_ones_are_built_anew(lists: Lists, log_config: Settings) -> None:
    made = await declare(lists, "city")
    await until(lambda: all_ready(lists), 20)
    schema, relation = log_config.schema("entity_view"), await only_index(log_config)
    async with await psycopg.AsyncConnection.connect(log_config.database_url, autocommit=True) as owner:
        text = f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{schema}.{relation}'::regclass"
        await owner.execute(text.encode())
    await until(lambda: all_ready(lists), 20)
    await until(partial(valid, log_config), 20)
    gone = await lists.crud.call("DELETE", f"{PATH}/{made.json['name']}")
    assert gone.status == 204
    assert (await lists.crud.call("GET", PATH)).json == {"indexes": []}
    await until(partial(none_left, log_config), 20)
    assert (await lists.crud.call("DELETE", f"{PATH}/{made.json['name']}")).said == (404, "not-found")


async def relations(config: Settings) -> list[tuple[str, bool]]:
    text = (
        "SELECT indexrelid::regclass::text, indisvalid FROM pg_index WHERE indexrelid::regclass::text ~ 'entities_by_'"
    )
    async with await psycopg.AsyncConnection.connect(config.database_url, autocommit=True) as connection:
        return await (await connection.execute(text.encode())).fetchall()


async def only_index(config: Settings) -> str:
    [(relation, _)] = await relations(config)
    return relation.rpartition(".")[2]


async def valid(config: Settings) -> bool:
    found = await relations(config)
    return len(found) == 1 and found[0][1]


async def none_left(config: Settings) -> bool:
    return await relations(config) == []


async def test_declarations_in_parallel_have_their_bound_and_foreign_events_do_no_harm(lists: Lists) -> None:
    for action, payload in (
        ("Declared", b'{"fields": []}'),
        ("Declared", b'{"x": 1}'),
        ("Created", b'{"fields": ["a"]}'),
    ):
        event = new_event("User", payload=payload, kind=f"{DECLARATIONS}.{action}")
        await lists.crud.store.append([event])
    replies = await asyncio.gather(*(declare(lists, f"field{number}") for number in range(12)))
    statuses = [reply.status for reply in replies]
    assert statuses.count(201) + statuses.count(409) == 12
    for number in range(12):
        await declare(lists, f"field{number}")
    found = (await lists.crud.call("GET", PATH)).json["indexes"]
    assert len(found) == 10
    assert len({index["name"] for index in found}) == 10
    assert (await declare(lists, "more")).said == (409, "conflict")
    await lists.crud.create("one-more", {"n": 1})
    assert "one-more" in await lists.ids(limit=100)


WRONG: list[tuple[Any, str]] = [
    ({"fields": []}, "fields"),
    ({"fields": ["a", "b", "c", "d", "e"]}, "fields"),
    ({"fields": ["a", "-a"]}, "fields"),
    ({"fields": ["a..b"]}, "fields[0]"),
    ({"fields": ["a", "b\x00"]}, "fields[1]"),
    ({"fields": [1]}, "fields[0]"),
    ({"fields": ["a"], "name": "x"}, "name"),
    ({}, "fields"),
]


async def test_a_wrong_declaration_is_named(config: Settings) -> None:
    async with crud_service(config) as crud:
        for body, field_name in WRONG:
            reply = await crud.call("POST", PATH, body)
            assert (reply.status, reply.json["field"]) == (422, field_name), body
        assert (await crud.call("GET", PATH)).json == {"indexes": []}
