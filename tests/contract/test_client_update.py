"""Updates by a function: what others do meanwhile, and what a class does not know, survive them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Any

import pytest

from eskit.client import About, Connections, Entities
from eskit.errors import Deleted, DocumentMismatch, NotFound, PreconditionFailed


@dataclass
class Counter:
    count: int = 0
    note: str | None = None


@pytest.fixture
def counters(crud: Connections) -> Entities[Counter]:
    return Entities(crud, "Counter", Counter)


def more(counter: Counter) -> Counter:
    return replace(counter, count=counter.count + 1)


async def test_no_update_is_lost_between_many(counters: Entities[Counter]) -> None:
    await counters.create(Counter(), ident="c")

    async def count() -> None:
        for _ in range(5):
            while True:
                try:
                    await counters.update("c", more)
                except PreconditionFailed:  # others were faster ten times in a row
                    continue
                break

    await asyncio.gather(*(count() for _ in range(8)))
    found = await counters.get("c")
    assert (found.document, found.version) == (Counter(40), 41)


async def test_an_update_answers_what_is_stored_then(counters: Entities[Counter]) -> None:
    await counters.create(Counter(), ident="c")
    updated = await counters.update("c", more, about=About(user="ann"))
    assert updated == await counters.get("c")
    assert (updated.version, updated.document) == (2, Counter(1))
    assert (await counters.history("c")).events[-1].user == "ann"


async def test_a_change_in_place_is_a_change_and_none_stores_nothing(counters: Entities[Counter]) -> None:
    await counters.create(Counter(), ident="c")

    def in_place(counter: Counter) -> Counter:
        counter.note = "seen"
        return counter

    assert (await counters.update("c", in_place)).version == 2
    assert (await counters.update("c", in_place)).version == 2
    assert (await counters.update("c", lambda counter: counter)).version == 2


async def test_what_the_class_does_not_know_stays_as_it_was_sent(counters: Entities[Counter]) -> None:
    sent = b'{"count":1,"price":1.50,"big":12345678901234567890123,"more":{"e":1e2}}'
    await counters.create(sent, ident="c")
    found = await counters.update("c", more)
    assert found.body == sent.replace(b'"count":1', b'"count":2')


async def test_each_try_sees_what_the_other_wrote(counters: Entities[Counter], crud: Connections) -> None:
    await counters.create(Counter(), ident="c")
    other, seen = Entities(crud, "Counter"), list[int]()
    raced = asyncio.Event()

    def change(counter: Counter) -> Counter:
        seen.append(counter.count)
        return replace(counter, note="mine")

    # The other one writes between the read and the write of the first try.
    get = counters.get

    async def overtaken(ident: str, **when: Any) -> Any:
        found = await get(ident, **when)
        if not raced.is_set():
            raced.set()
            await other.patch(ident, {"count": 7}, version="*")
        return found

    counters.get = overtaken  # type: ignore[method-assign]
    updated = await counters.update("c", change)
    assert (seen, updated.document, updated.version) == ([0, 7], Counter(7, "mine"), 3)


async def test_what_is_not_there_is_not_updated(counters: Entities[Counter]) -> None:
    with pytest.raises(NotFound):
        await counters.update("nobody", more)
    await counters.create(Counter(), ident="c")
    await counters.delete("c", version=1)
    with pytest.raises(Deleted):
        await counters.update("c", more)


async def test_an_error_of_the_function_changes_nothing(counters: Entities[Counter]) -> None:
    await counters.create(Counter(), ident="c")
    with pytest.raises(ZeroDivisionError):
        await counters.update("c", lambda counter: replace(counter, count=1 // counter.count))
    assert (await counters.get("c")).version == 1


async def test_a_document_of_another_form_is_not_changed(counters: Entities[Counter], crud: Connections) -> None:
    await Entities(crud, "Counter").create({"count": "many"}, ident="c")
    with pytest.raises(DocumentMismatch, match=r"no Counter: .*\$\.count"):
        await counters.update("c", more)
