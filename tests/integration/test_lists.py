"""Lists and searches: what was written is there, filtered, sorted, page by page."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

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


PEOPLE = {
    "ann": {"name": "Ann", "age": 30, "city": "Bern", "tags": ["red", "blue"], "address": {"street": "A 1"}},
    "bob": {"name": "Bob", "age": 30.0, "city": "Basel", "tags": [], "big": 12345678901234567890},
    "cid": {"name": "Çid", "age": 7, "city": None, "zip": "01234"},
    "dan": {"name": "dan", "age": "30", "active": True, "a.b": {"gt": 1}, "": 5},
    "eve": {"name": "Eve \u0000 x", "age": -1.5, "tiny": "1e-400", "long": "x" * 5000, "active": False},
    "fay": {"name": "Fay", "age": 1e300, "zip": 1234, "deep": {"a/b": {"~": [1, 2, {"c": "d"}]}}},
}


@pytest.fixture
async def people(lists: Lists) -> Lists:
    for ident, document in PEOPLE.items():
        assert (await lists.crud.create(ident, document)).status == 201
    raw = b'{"name": "Gil", "tiny": 1e-400, "huge": ' + b"9" * 400 + b', "exact": 0.10, "twin": 9007199254740993}'
    assert (await lists.crud.create("gil", raw)).status == 201
    return lists


FILTERS = [
    ({"filter.age": "30"}, ["ann", "bob"]),
    ({"filter.age": '"30"'}, ["dan"]),
    ({"filter.age.gt": "7"}, ["ann", "bob", "fay"]),
    ({"filter.age.gte": "7", "filter.age.lt": "30"}, ["cid"]),
    ({"filter.age.lte": "-1"}, ["eve"]),
    ({"filter.age.gt": '"3"'}, ["dan"]),
    ({"filter.name.lt": "Bob"}, ["ann"]),
    ({"filter.name.lte": "Bob"}, ["ann", "bob"]),
    ({"filter.name.gt": "Gil"}, ["cid", "dan"]),
    ({"filter.name.prefix": "E"}, ["eve"]),
    ({"filter.name.prefix": ""}, ["ann", "bob", "cid", "dan", "eve", "fay", "gil"]),
    ({"filter.long.prefix": "x" * 900}, ["eve"]),
    ({"filter.long.gt": "x" * 150}, ["eve"]),
    ({"filter.long.lt": "x" * 150}, []),
    ({"filter.city.in": "Bern,Basel"}, ["ann", "bob"]),
    ({"filter.city.in": '["Bern", null]'}, ["ann", "cid"]),
    ({"filter.city": "null"}, ["cid"]),
    ({"filter.city.exists": "false"}, ["dan", "eve", "fay", "gil"]),
    ({"filter.city.exists": "true", "filter.tags.exists": "true"}, ["ann", "bob"]),
    ({"filter.active": "true"}, ["dan"]),
    ({"filter.active": "false"}, ["eve"]),
    ({"filter.zip": "01234"}, ["cid"]),
    ({"filter.zip": "1234"}, ["fay"]),
    ({"filter.big": "12345678901234567890"}, ["bob"]),
    ({"filter.big": "12345678901234567891"}, []),
    ({"filter.twin": "9007199254740992"}, []),
    ({"filter.twin.gt": "9007199254740992"}, ["gil"]),
    ({"filter.huge.gt": "1e300"}, ["gil"]),
    ({"filter.tags.0": "red"}, ["ann"]),
    ({"filter./tags/1": "blue"}, ["ann"]),
    ({"filter.address.street": "A 1"}, ["ann"]),
    ({"filter./a.b/gt.eq": "1"}, ["dan"]),
    ({"filter./": "5"}, ["dan"]),
    ({"filter./deep/a~1b/~0/2/c": "d"}, ["fay"]),
    ({"filter.name": "Eve \ufffd x"}, ["eve"]),
    ({"filter.nothing": "x"}, []),
]


async def test_filters(people: Lists) -> None:
    """Also as of a position, where no database looks: the two agree."""
    head = (await people.crud.store.head()).position
    for query, wanted in FILTERS:
        assert [one["id"] for one in (await people.raw(query))["entities"]] == wanted, query
        past = await people.raw({**query, "position": head})
        assert [one["id"] for one in past["entities"]] == wanted, query


SORTS = [
    ("age", ["gil", "eve", "cid", "ann", "bob", "fay", "dan"]),
    ("-age", ["dan", "fay", "bob", "ann", "cid", "eve", "gil"]),
    ("city,-age", ["dan", "fay", "eve", "gil", "cid", "bob", "ann"]),
    ("active,-name", ["cid", "gil", "fay", "bob", "ann", "eve", "dan"]),
    ('["/deep", "-/name"]', ["cid", "dan", "gil", "eve", "bob", "ann", "fay"]),
]


@pytest.mark.parametrize("limit", [1, 2, 100])
async def test_sorts_page_by_page(people: Lists, limit: int) -> None:
    head = (await people.crud.store.head()).position
    for sort, wanted in SORTS:
        assert await people.ids(sort=sort, limit=limit) == wanted, sort
        assert await people.ids(sort=sort, limit=limit, position=head) == wanted, sort
    assert await people.ids(limit=limit) == [*sorted(PEOPLE), "gil"]
    assert await people.ids(limit=limit, sort="-age", filter__age="30") == ["bob", "ann"]


async def test_what_an_answer_has(people: Lists) -> None:
    await people.crud.delete("gil")
    page = await people(limit=1)
    [ann] = page["entities"]
    assert (ann["id"], ann["version"], ann["position"], ann["document"]) == ("ann", 1, 1, PEOPLE["ann"])
    assert ann["created_at"] == ann["modified_at"]
    assert "deleted" not in ann
    [bare] = (await people(limit=1, skip_payload="true"))["entities"]
    assert bare == {name: value for name, value in ann.items() if name != "document"}
    [some] = (await people(limit=1, fields="name,/address/street,tags.0,nothing,address.street.x"))["entities"]
    assert some["document"] == {"name": "Ann", "address": {"street": "A 1"}}
    raw = await people.crud.call("GET", "/v1/entities/User?filter.name=Gil&deleted=true")
    assert b'"deleted":true,"document":{"name": "Gil", "tiny": 1e-400' in raw.body
    assert raw.headers["Eskit-View-Position"] == "8"
    assert "Eskit-View-Stale" not in raw.headers
    assert (await people(count="exact"))["count"] == 6
    assert (await people(count="exact", deleted="true", limit=1))["count"] == 7
    assert (await people(count="estimate"))["count"] >= 0
    assert "document" not in (await people(filter__name="Ann", position=8, skip_payload="true"))["entities"][0]
    metrics = (await people.crud.call("GET", "/metrics")).body.decode()
    assert float(metrics.partition("\neskit_events_crud_listview ")[2].partition("\n")[0]) >= 8


WRONG = [
    ("limit=0", "limit"),
    ("limit=1001", "limit"),
    ("limit=ten", "limit"),
    ("cursor=x", "cursor"),
    ("cursor=" + "A" * 60, "cursor"),
    ("sort=", "sort"),
    ("sort=a,-a", "sort"),
    ("sort=a,b,c,d,e", "sort"),
    ("sort=a..b", "sort"),
    ("sort=%5B1%5D", "sort"),
    ("fields=/a~2", "fields"),
    ("fields=" + ",".join("a" * 51), "fields"),
    ("skip_payload=maybe", "skip_payload"),
    ("count=all", "count"),
    ("wait=61", "wait"),
    ("position=0", "position"),
    ("position=99", "position"),
    ("position=1&count=exact", "count"),
    ("unknown=1", "unknown"),
    ("filter=1", "filter"),
    ("filter.=1", "filter."),
    ("filter.a=1&filter.a=2", "filter.a"),
    ("filter.a=1&filter./a=2", "filter"),
    ("filter.a.gt=null", "filter.a.gt"),
    ("filter.a.lt=true", "filter.a.lt"),
    ("filter.a=%5B1%5D", "filter.a"),
    ("filter.a=%7B%7D", "filter.a"),
    ("filter.a.in=%5B%5B%5D%5D", "filter.a.in"),
    ("filter.a.in=" + ",".join("a" * 101), "filter.a.in"),
    ("filter.a.in=%5B%5D", "filter.a.in"),
    ("filter.a.exists=1", "filter.a.exists"),
    ("filter.a=" + "a" * 1001, "filter.a"),
    ("filter.a=%00", "filter.a"),
    ("filter.a%00=1", "filter.a\x00"),
    ("filter." + "a" * 201 + "=1", "filter." + "a" * 93),
    ("&".join(f"filter.a{n}=1" for n in range(11)), "filter"),
]


async def test_what_is_wrong_is_named(lists: Lists) -> None:
    await lists.crud.create("ann", {"name": "Ann"})
    for query, field in WRONG:
        reply = await lists.crud.call("GET", f"/v1/entities/User?{query}")
        assert (reply.status, str(reply.json.get("field"))[:100]) == (422, field), (query, reply.body)
    assert (await lists.crud.call("GET", "/v1/entities/no-type")).status == 422


async def test_a_cursor_is_good_for_its_query_only(people: Lists) -> None:
    cursor = (await people(limit=2, sort="name"))["next"]
    assert [one["id"] for one in (await people(limit=1, sort="name", cursor=cursor))["entities"]] == ["eve"]
    for query in ({}, {"sort": "-name"}, {"sort": "name", "deleted": "true"}, {"sort": "name", "filter.age": "30"},
                  {"sort": "name", "position": "3"}):  # fmt: skip
        wrong = await people.raw({"cursor": cursor, **query}, status=422)
        assert (wrong["code"], wrong["field"]) == ("invalid-request", "cursor")
    await people.raw({"cursor": cursor, "sort": "name"}, kind="Other", status=422)
    for changed in (cursor[:-1], cursor + "A", "B" + cursor[1:], cursor.swapcase()):
        await people.raw({"cursor": changed, "sort": "name"}, status=422)


async def test_pages_neither_repeat_nor_miss_what_does_not_change(lists: Lists) -> None:
    """While between two pages entities come, go, and move along the order."""
    for number in range(40):
        await lists.crud.create(f"user-{number:02}", {"n": number, "kept": number % 2 == 0})
    for sort in ("n", "-n", "kept,-n"):
        seen: list[str] = []
        query = {"sort": sort, "limit": "3"}
        turn = 0
        while True:
            page = await lists.raw(query)
            seen += [one["id"] for one in page["entities"]]
            if page["next"] is None:
                break
            query["cursor"] = page["next"]
            turn += 1
            await lists.crud.merge(f"user-{turn % 20 * 2 + 1:02}", {"n": 40 - turn})
            await lists.crud.create(f"user-new-{sort}-{turn}", {"n": turn, "kept": False})
        kept = [ident for ident in seen if not ident.startswith("user-new") and int(ident[-2:]) % 2 == 0]
        wanted = [f"user-{number:02}" for number in range(0, 40, 2)]
        assert kept == (wanted if sort == "n" else wanted[::-1]), sort


ODD = ['"', "\\", "{", "}", ",", "a b", " ", "NULL", '\\"', "'", "%s", "%(p1)s", "ü\n\t", "{wanted}", "$1", "--", ";"]


async def test_names_that_mean_something_elsewhere_are_names_here(lists: Lists) -> None:
    """Every name and value is a parameter: nothing in them is SQL, an array's text, or a placeholder."""
    document = {name: {name: name, "n": number} for number, name in enumerate(ODD)}
    await lists.crud.create("odd", document)
    await lists.crud.create("even", {})
    for number, name in enumerate(ODD):
        pointer = "/" + name.replace("~", "~0").replace("/", "~1")
        wanted: list[tuple[dict[str, Any], str]] = [
            ({f"filter.{pointer}{pointer}": json.dumps(name)}, "odd"),
            ({f"filter.{pointer}/n.gte": number, "sort": json.dumps([pointer])}, "odd"),
            ({f"filter.{pointer}.exists": "false"}, "even"),
        ]
        for query, ident in wanted:
            assert [one["id"] for one in (await lists.raw(query))["entities"]] == [ident], query
