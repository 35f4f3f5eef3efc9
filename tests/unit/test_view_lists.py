"""What is asked of lists: cursors, the ways to entities, how new a view is; without a server."""

from __future__ import annotations

import asyncio

import pytest

from crud_svc.view.access import needed, paths
from crud_svc.view.cursors import Place, digest, seal, unseal
from crud_svc.view.fields import SortKey, field
from crud_svc.view.filters import conditions
from crud_svc.view.freshness import Asking, Progress, Waiting, position, reached
from crud_svc.view.indexes import DECLARED, DROPPED, Index, change, declared, index_of
from crud_svc.view.listing import Listing
from eskit.cli.loading import load
from eskit.consumer import Target
from eskit.errors import InvalidRequest, SettingsError, Unavailable
from eskit.events import Stored
from eventstore_svc.store import Ends

KEY = b"k" * 32


def listing(sort: str = "", deleted: bool = False, **filters: str) -> Listing:
    """`age__gt="7"` is `filter.age.gt=7`."""
    wanted = conditions((f"filter.{name.replace('__', '.')}", value) for name, value in filters.items())
    keys = tuple(SortKey(field(text.removeprefix("-"), "sort"), text.startswith("-")) for text in sort.split())
    return Listing("User", wanted, keys, deleted)


def test_a_cursor_comes_back_as_it_was() -> None:
    place = Place(("5ü", "410000"), "an/id")
    query = listing("a b").digest()
    assert unseal(KEY, query, seal(KEY, query, place)) == place


def test_cursors_of_others_are_refused() -> None:
    query = listing("a").digest()
    cursor = seal(KEY, query, Place(("5a",), "x"))
    others = [listing("-a"), listing("b"), listing("a", deleted=True), listing("a", n="1"), listing("a", n='"1"')]
    for other in [one.digest() for one in others] + [digest("User")]:
        with pytest.raises(InvalidRequest, match="another query"):
            unseal(KEY, other, cursor)
    for broken in (cursor[:-2], cursor + "AA", "", "!", "é", cursor.swapcase(), "A" * 3000):
        with pytest.raises(InvalidRequest, match="unchanged"):
            unseal(KEY, query, broken)
    with pytest.raises(InvalidRequest, match="unchanged"):
        unseal(b"j" * 32, query, cursor)
    assert len({one.digest() for one in others}) == len(others)


WAYS: list[tuple[Listing, list[str], tuple[int, bool, bool]]] = [
    (listing(), [], (0, True, True)),
    (listing(city="x"), [], (0, True, False)),
    (listing("age"), [], (0, False, True)),
    (listing(city="x"), ["city"], (1, True, True)),
    (listing(city__exists="false"), ["city"], (1, True, True)),
    (listing(city="x"), ["city", "age"], (1, False, True)),
    (listing("age", city="x"), ["city", "age"], (1, True, True)),
    (listing("-age", city="x"), ["city", "age"], (1, True, True)),
    (listing("age city", city="x"), ["city", "age"], (1, True, True)),
    (listing("a -b"), ["a", "-b"], (0, True, True)),
    (listing("-a b"), ["a", "-b"], (0, True, True)),
    (listing("a b"), ["a", "-b"], (0, False, True)),
    (listing("a"), ["a", "b"], (0, False, True)),
    (listing(age__gt="1", age__lt="9"), ["age"], (2, False, True)),
    (listing("age", age__gt="1"), ["age"], (1, True, True)),
    (listing(city="x", age__prefix="a"), ["city", "age"], (2, False, True)),
    (listing(city="x", age__gt="1", name="y"), ["city", "age"], (2, False, False)),
    (listing(city__in="x,y"), ["city"], (1, False, True)),
    (listing(deleted=True, city="x"), ["city"], (0, True, False)),
]


@pytest.mark.parametrize(("wanted", "fields", "best"), WAYS)
def test_the_best_way(wanted: Listing, fields: list[str], best: tuple[int, bool, bool]) -> None:
    indexes = [index_of(fields)] if fields else []
    way = paths(wanted, indexes)[0]
    assert (len(way.found), way.ordered, way.whole) == best
    assert paths(wanted, indexes)[-1].found == (), "through all entities, at last"


@pytest.mark.parametrize("wanted", [one for one, _, _ in WAYS if one.conditions or one.sort])
def test_the_index_that_is_asked_for_helps(wanted: Listing) -> None:
    """Straight to the page; or, where a range is not in the order of the list, to what meets the filters."""
    if wanted.deleted:
        return
    way = paths(wanted, [needed(wanted)])[0]
    ranges = [one for one in wanted.conditions if not one.exact]
    assert way.straight or (ranges and way.found)


def event(nr: int, action: str, payload: str) -> Stored:
    return Stored(nr, "", "eskit.Index", "User", nr, action, payload, "{}", 0, 0)


def test_declarations_are_folded() -> None:
    events = [
        event(1, DECLARED, '{"fields":["a"]}'),
        event(2, DECLARED, '{"fields":["/a"]}'),
        event(3, DECLARED, '{"fields":["-b","c"]}'),
        event(4, DROPPED, '{"fields":["/a"]}'),
        event(5, "Created", '{"fields":["d"]}'),
        event(6, DECLARED, '{"fields":[]}'),
        event(7, DECLARED, '{"fields":["a..b"]}'),
        event(8, DROPPED, '{"fields":["never"]}'),
    ]
    [found] = declared(events).values()
    assert found.texts == ["-/b", "/c"]
    assert change("Created", b'{"fields":["d"]}') is None
    assert Index((SortKey(field("a", "")),)).relation("User") != index_of(["a"]).relation("Other")


def test_how_new_a_view_is() -> None:
    ends = Ends(20, (0, 7, 20))
    assert reached(ends, {1: 7, 2: 20})
    assert reached(ends, {0: 30, 1: 31, 2: 32})
    assert not reached(ends, {1: 7})
    assert position(ends, {1: 7, 2: 20}) == 20
    assert position(ends, {1: 5, 2: 20}) == 5
    assert position(ends, {1: 5, 2: 3}) == 3
    assert (reached(Ends(5, None), {0: 9}), position(Ends(5, None), {0: 9})) == (False, 0)
    assert reached(Ends(0, ()), {})


async def test_who_asks_gets_an_answer_from_after_his_question() -> None:
    asked, begun, gate = 0, asyncio.Event(), asyncio.Event()

    async def ask() -> Ends:
        nonlocal asked
        asked += 1
        head = asked
        begun.set()
        await gate.wait()
        return Ends(head, ())

    asking = Asking(ask)
    first = asyncio.create_task(asking.ends())
    await begun.wait()
    later = [asyncio.create_task(asking.ends()) for _ in range(5)]
    await asyncio.sleep(0)
    gate.set()
    assert (await first).head == 1
    assert {ends.head for ends in await asyncio.gather(*later)} == {2}
    assert asked == 2


async def test_nobody_looks_when_nobody_waits() -> None:
    """What looks ends with the last who waits."""
    progress = {0: 1}

    async def look() -> Progress:
        return dict(progress)

    waiting = Waiting(look)
    await waiting.until(Ends(5, (5,)), 0.05)
    waiters = [asyncio.create_task(waiting.until(Ends(n, (n,)), 20)) for n in (3, 4, 5)]
    await asyncio.sleep(0)
    progress[0] = 4
    await asyncio.gather(*waiters[:2])
    assert not waiters[2].done()
    progress[0] = 5
    await waiters[2]
    assert waiting.looking is not None
    await waiting.looking
    await waiting.close()


async def test_who_waits_is_told_that_the_view_is_away() -> None:
    async def look() -> Progress:
        raise Unavailable("away")

    waiting = Waiting(look)
    for _ in range(2):
        with pytest.raises(Unavailable, match="away"):
            await waiting.until(Ends(1, (1,)), 20)


def test_the_command_that_rebuilds_finds_the_consumer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESKIT_LOG", "sales")
    consumer = load("crud_svc.view.consumer:entity_view")
    assert (consumer.name, consumer.transaction) == ("entity-view", Target("entity_view_sales"))
    with pytest.raises(SettingsError, match="has no consumer other"):
        load("crud_svc.view.consumer:other")
