"""`atomic=true`: all lines in one commit, or none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from eskit.settings import Settings
from tests.integration.crud_batches import BATCH, NDJSON, body_of, create, line, merge, said, send
from tests.integration.crud_calls import Crud, Reply, crud_service

ATOMIC = "?atomic=true"


@pytest.fixture
async def crud(config: Settings) -> AsyncIterator[Crud]:
    async with crud_service(config) as service:
        yield service


async def atomic(crud: Crud, *lines: Any) -> Reply:
    return await crud.call("POST", BATCH + ATOMIC, body_of(list(lines)), Content_Type=NDJSON)


async def test_entities_of_several_types_in_one_commit(crud: Crud) -> None:
    await send(crud, create("old", {"n": 1}))
    results = await send(
        crud,
        create("o1", {"total": 40}, kind="shop.Order"),
        merge("old", {"orders": ["o1"]}, 1),
        merge("old", {"orders": ["o1"]}, 2),
        line("json_patch", "old", patch=[{"op": "replace", "path": "/n", "value": 2.50}], if_match=2),
        line("delete", "o1", kind="shop.Order", if_match=1),
        line("restore", "o1", kind="shop.Order", if_match=2),
        line("create", kind="Note", document={"text": "x"}),
        query=ATOMIC,
    )
    assert said(results) == [(201, 1), (200, 2), (200, 2), (200, 3), (204, 2), (200, 3), (201, 1)]
    assert [r["stored"] for r in results] == [True, True, False, True, True, True, True]
    assert [r["position"] for r in results] == [2, 3, 3, 4, 5, 6, 7]
    assert (await crud.get("old")).json == {"n": 2.5, "orders": ["o1"]}
    assert (await crud.get("o1", kind="shop.Order")).json == {"total": 40}
    # One append: the log says that they came together.
    events = await crud.events()
    assert len({e.recorded_at_us for e in events[1:]}) == 1


@pytest.mark.parametrize(
    ("bad", "status", "code", "field"),
    [
        (merge("u1", {}, 1), 412, "precondition-failed", "if_match"),
        (create("u1"), 409, "already-exists", None),
        (merge("nobody", {}), 404, "not-found", None),
        (line("json_patch", "u1", patch=[{"op": "remove", "path": "/x"}], if_match="*"), 422, "patch-failed",
         "patch[0]"),
        (line("put", "u1", document={}), 428, "precondition-required", "if_match"),
        (b"{", 400, "malformed-request", None),
        (create("u4", {"x": "x" * 950_000}), 413, "too-large", "document"),
    ],
)  # fmt: skip
async def test_one_line_that_is_refused_takes_all_with_it(
    crud: Crud, bad: Any, status: int, code: str, field: str | None
) -> None:
    await send(crud, create("u1", {"n": 1}), merge("u1", {"n": 2}))
    reply = await atomic(crud, create("u2"), b"", merge("u1", {"n": 3}, 2), bad, create("u3"))
    assert reply.said == (status, code)
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert (reply.json["line"], reply.json.get("field")) == (4, field)
    assert len(await crud.events()) == 2


async def test_what_was_taken_for_new_is_looked_at(crud: Crud) -> None:
    """A line after a create is judged by what is there, not by what the create would have made."""
    await send(crud, create("u1", {"n": 1}), merge("u1", {"n": 2}))
    reply = await atomic(crud, create("u1"), merge("u1", {"n": 3}, 9))
    assert (*reply.said, reply.json["line"]) == (409, "already-exists", 1)
    again = await atomic(crud, line("put", "u1", document={"x": 1}, if_none_match="*"))
    assert (*again.said, again.json["field"]) == (412, "precondition-failed", "if_none_match")


async def test_sent_again_it_has_its_first_answer(crud: Crud) -> None:
    lines = [
        create("u1", {"n": 1}, idempotency_key="1"),
        merge("u1", {"n": 1}, idempotency_key="2"),
        merge("u1", {"n": 2}, 1, idempotency_key="3"),
        create("u2", idempotency_key="4"),
    ]
    first = await send(crud, *lines, query=ATOMIC)
    await send(crud, merge("u1", {"n": 9}), line("delete", "u2", if_match="*"))
    again = await send(crud, *lines, query=ATOMIC)
    assert again == [{**r, "stored": False} for r in first]
    part = await atomic(crud, *lines[2:], create("u3", idempotency_key="5"))
    assert (*part.said, part.json["line"], part.json["field"]) == (409, "event-id-reused", 3, "idempotency_key")
    other = await atomic(crud, {**lines[0], "document": {"n": 3}}, *lines[1:])
    assert (*other.said, other.json["line"]) == (409, "event-id-reused", 1)
    for one in (create("a", idempotency_key="6"), create("b"), create("c", idempotency_key="7")):
        await send(crud, one)
    apart = await atomic(crud, create("a", idempotency_key="6"), create("c", idempotency_key="7"))
    assert apart.said == (409, "event-id-reused")
    assert "not stored together" in apart.json["detail"]
    assert len(await crud.events()) == 8


@pytest.mark.parametrize(
    ("lines", "number"),
    [
        ([create("a", idempotency_key="1"), create("b")], 2),
        ([create("a"), create("b", idempotency_key="1")], 2),
        ([create("a", idempotency_key="1"), create("b", idempotency_key="1")], 2),
    ],
)
async def test_keys_are_of_all_lines_or_of_none(crud: Crud, lines: list[Any], number: int) -> None:
    reply = await atomic(crud, *lines)
    assert (*reply.said, reply.json["field"], reply.json["line"]) == (422, "invalid-request", "idempotency_key", number)


@pytest.mark.parametrize("count", [0, 101])
async def test_the_number_of_lines_is_bounded(crud: Crud, count: int) -> None:
    reply = await atomic(crud, *(create(f"u{n}") for n in range(count)))
    assert (*reply.said, reply.json["limit"]) == (422, "invalid-request", 100)
    assert await crud.events() == []


async def test_a_hundred_lines_are_one_commit(crud: Crud) -> None:
    results = await send(crud, *(create(f"u{n % 50}{'' if n < 50 else 'x'}") for n in range(100)), query=ATOMIC)
    assert [r["position"] for r in results] == list(range(1, 101))
    assert len({e.recorded_at_us for e in await crud.events()}) == 1


async def test_transfers_never_lose_money(crud: Crud) -> None:
    """Batches over shared entities: whoever loses a race is told, or tried again on what the others left."""
    accounts = 4
    await send(crud, *(create(f"a{n}", {"money": 100}) for n in range(accounts)))

    async def transfer(source: int, sink: int) -> bool:
        money, versions = [], []
        for n in (source, sink):
            found = await crud.get(f"a{n}")
            money.append(found.json["money"])
            versions.append(int(found.headers["ETag"].strip('"')))
        lines = [merge(f"a{source}", {"money": money[0] - 1}, versions[0]),
                 merge(f"a{sink}", {"money": money[1] + 1}, versions[1])]  # fmt: skip
        reply = await atomic(crud, *lines, merge("a0", {f"mark{source}{sink}": source}))
        assert reply.status in {200, 412}
        return reply.status == 200

    async def teller(n: int) -> int:
        return sum([await transfer((n + k) % accounts, (n + k + 1) % accounts) for k in range(12)])

    await asyncio.gather(*(teller(n) for n in range(5)))
    money = [(await crud.get(f"a{n}")).json["money"] for n in range(accounts)]
    assert sum(money) == 100 * accounts


async def test_the_same_batch_twice_at_once_is_stored_once(crud: Crud) -> None:
    lines = [create("u1", {"n": 0}, idempotency_key="c"), create("u2", idempotency_key="d")]
    lines += [merge("u1", {"n": n}, n, idempotency_key=f"k{n}") for n in range(1, 10)]
    found = await asyncio.gather(*(send(crud, *lines, query=ATOMIC) for _ in range(6)))
    for results in found:
        assert [(r["version"], r["position"]) for r in results] == [(r["version"], r["position"]) for r in found[0]]
    assert sum(r["stored"] for results in found for r in results) == len(lines)
    assert len(await crud.events()) == len(lines)


async def test_sent_again_it_meets_what_it_met_the_first_time(crud: Crud) -> None:
    """Also a line that changed nothing, of an entity that others have changed since."""
    await send(crud, create("x", {"n": 1}))
    lines = [merge("x", {"n": 1}, 1, idempotency_key="k1"), create("y", idempotency_key="k2")]
    first = await send(crud, *lines, query=ATOMIC)
    await crud.merge("x", {"n": 2})
    again = await send(crud, *lines, query=ATOMIC)
    assert said(again) == said(first) == [(200, 1), (201, 1)]
    assert [result["stored"] for result in again] == [False, False]
