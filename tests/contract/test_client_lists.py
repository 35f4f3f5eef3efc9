"""Lists through the client, from the entity view and in the process: filters, order, pages, the past."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from msgspec import UNSET, Struct, UnsetType

from eskit.client import Connections, Entities, Page, Query
from eskit.errors import InvalidRequest
from tests.clients import in_memory
from tests.integration.viewing import viewed
from tests.services import own_log


@dataclass
class Person:
    name: str
    age: int = 0
    city: str | None = None


class Short(Struct):
    name: str
    age: int | UnsetType = UNSET


@pytest.fixture(params=[pytest.param("view", marks=pytest.mark.real_kafka), "in process"])
async def crud(request: pytest.FixtureRequest) -> AsyncIterator[Connections]:
    if request.param == "in process":
        async with in_memory() as services:
            yield services.crud
        return
    log = own_log(request.getfixturevalue("database_url"), request.getfixturevalue("kafka_broker").bootstrap)
    async with viewed(log, view_wait_s=20.0) as lists, Connections(lists.crud.url) as crud:
        yield crud


async def idents(people: Entities[Any], **wanted: Any) -> list[str]:
    return [entity.id async for entity in people.all(Query(**wanted))]


async def test_lists_of_objects(crud: Connections) -> None:
    people = Entities(crud, "Person", Person)
    assert await people.list() == Page(entities=[], next=None, view_position=0)
    for number in range(25):
        name, city = f"P{number:02}", ["Bern", "Basel", None][number % 3]
        await people.create(Person(name, number, city), ident=name.lower())
    await people.delete("p24", version=1)

    page = await people.list(Query(where={"city": "Bern"}, sort="-age", count="exact"), limit=3)
    assert [(one.id, one.document) for one in page.entities] == [
        (f"p{number}", Person(f"P{number}", number, "Bern")) for number in (21, 18, 15)
    ]
    assert (page.count, page.stale, page.view_position) == (8, False, 26)
    assert page.next is not None
    following = await people.list(Query(where={"city": "Bern"}, sort="-age"), limit=3, cursor=page.next)
    assert [one.id for one in following.entities] == ["p12", "p09", "p06"]
    with pytest.raises(InvalidRequest):
        await people.list(Query(where={"city": "Basel"}, sort="-age"), cursor=page.next)

    assert await idents(people) == [f"p{number:02}" for number in range(24)]
    assert [len(one.entities) async for one in people.pages(limit=10)] == [10, 10, 4]
    assert [one.id async for one in people.ids(limit=5)] == await idents(people)
    assert await idents(people, where={"age.gte": 3, "age.lt": 5}) == ["p03", "p04"]
    assert await idents(people, where={"name.in": ["P01", "P07", "x"]}) == ["p01", "p07"]
    assert await idents(people, where={"name.prefix": "P2", "city": None}) == ["p20", "p23"]
    assert await idents(people, where={"age": "3"}) == []  # a string is no number
    assert await idents(people, where={"nothing.exists": True}) == []
    gone = [one async for one in people.all(Query(deleted=True, sort="-age")) if one.deleted]
    assert [(one.id, one.document.age, one.version) for one in gone] == [("p24", 24, 2)]
    with pytest.raises(InvalidRequest):
        await people.list(limit=1001)


async def test_fields_the_past_and_what_was_just_written(crud: Connections) -> None:
    people = Entities(crud, "Person", Person)
    then = (await people.create(Person("Ann", 80), ident="ann")).position
    await people.create(Person("Bo", 20), ident="bo")
    await people.update("ann", lambda person: Person(person.name, 81))
    assert [one.document.age for one in (await people.list(Query(position=then))).entities] == [80]
    assert [one.document.age for one in (await people.list()).entities] == [81, 20]
    short = await Entities(crud, "Person", Short).list(Query(fields=["name"]))
    assert [one.document for one in short.entities] == [Short("Ann"), Short("Bo")]
    for number in range(20):
        await people.update("bo", lambda person: Person(person.name, person.age + 1))
        assert await idents(people, where={"age": 21 + number}, wait_s=[20.0, 20.5, 20][number % 3]) == ["bo"]
