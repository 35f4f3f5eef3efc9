"""Many writes as lines: each has its own result, in order, as the same call alone would have."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from crud_svc.entities import course
from eskit.settings import Settings
from tests.integration.crud_batches import create, line, merge, said, send
from tests.integration.crud_calls import Crud, crud_service


@pytest.fixture
async def crud(config: Settings) -> AsyncIterator[Crud]:
    async with crud_service(config) as service:
        yield service


async def test_every_kind_of_write_and_of_refusal(crud: Crud) -> None:
    results = await send(
        crud,
        create("u1", {"a": 1}),
        create("u1"),
        merge("u1", {"b": [1.0]}, 1),
        merge("u1", {"c": 1}, 1),
        merge("u1", {"c": 1}, [1, 2]),
        line("json_patch", "u1", patch=[{"op": "test", "path": "/a", "value": 2}], if_match="*"),
        line("json_patch", "u1", patch=[{"op": "remove", "path": "/c"}], if_match=3),
        line("put", "u1", document={"new": True}),
        line("put", "u1", document={"new": True}, if_match=4),
        line("put", "u1", document={"new": True}, if_none_match="*"),
        line("put", "u2", document={"x": 1}, if_none_match="*"),
        line("put", "u3", document={"x": 1}, if_match="*"),
        line("delete", "u1", if_match=5),
        merge("u1", {"c": 1}),
        create("u1"),
        line("restore", "u1", if_match=6),
        line("put", "u1", document={"new": True}, if_match="*"),
        line("delete", "u2", if_match="*"),
    )
    assert said(results) == [
        (201, 1), (409, "already-exists"), (200, 2), (412, "precondition-failed"), (200, 3), (422, "patch-failed"),
        (200, 4), (428, "precondition-required"), (200, 5), (412, "precondition-failed"), (201, 1), (404, "not-found"),
        (204, 6), (410, "deleted"), (410, "deleted"), (200, 7), (200, 7), (204, 2),
    ]  # fmt: skip
    assert [r.get("stored") for r in results if "problem" not in r] == [True] * 8 + [False, True]
    assert (await crud.get("u1")).json == {"new": True}
    assert results[3]["problem"]["field"] == "if_match"
    assert results[3]["problem"]["version"] == 2
    assert results[3]["problem"]["line"] == 4
    assert results[5]["problem"]["field"] == "patch[0]"
    positions = {e.position: (e.originator_id, e.version) for e in await crud.events()}
    for result in results:
        if result.get("stored"):
            assert positions[result["position"]] == (result["id"], result["version"])


async def test_an_earlier_version_is_restored(crud: Crud) -> None:
    await send(crud, create("u1", {"a": 1.0}), merge("u1", {"a": 2}), merge("u1", {"a": None}))
    results = await send(
        crud,
        line("restore", "u1", version=1, if_match=3),
        line("restore", "u1", version=9, if_match=4),
        line("restore", "u1", if_match=4),
    )
    assert said(results) == [(200, 4), (404, "not-found"), (422, "invalid-request")]
    assert (await crud.get("u1")).body == b'{"a": 1.0}'


async def test_an_id_is_made_up_and_told(crud: Crud) -> None:
    (first,) = await send(crud, line("create", document={"a": 1}, idempotency_key="k1"))
    assert (await crud.get(first["id"])).json == {"a": 1}
    (again,) = await send(crud, line("create", document={"a": 1}, idempotency_key="k1"))
    assert again == {**first, "stored": False}


async def test_numbers_and_texts_stay_as_they_were_sent(crud: Crud) -> None:
    document = b'{"a":1.0,"b":1e0,"c":-0,"d":12345678901234567890,"\xc3\xa9/~":[null, 0.10]}'
    await send(crud, b'{"op":"create","type":"User","id":"u1","document":' + document + b"}")
    assert (await crud.get("u1")).body == document
    patch = b'{"op":"merge_patch","type":"User","id":"u1","if_match":1,"patch":{"a":1.00,"e":1E400}}'
    assert said(await send(crud, patch)) == [(422, "invalid-request")]
    await send(crud, patch.replace(b"1E400", b"1E4"))
    assert b'"a":1.00' in (await crud.get("u1")).body
    assert b'"e":1E4' in (await crud.get("u1")).body


async def test_what_is_said_about_the_events(crud: Crud) -> None:
    more = {"user": "ann", "causation_id": "c1", "metadata": {"k": "v"}, "occurred_on": "2020-01-01T00:00:00Z"}
    results = await send(crud, create("u1", **more), create("u2", user="bob"), Eskit_Correlation_Id="x")
    assert said(results) == [(201, 1), (201, 1)]
    first, second = await crud.events()
    assert json.loads(first.metadata) == {"correlation_id": "x", "user": "ann", "causation_id": "c1", "k": "v"}
    assert first.occurred_on_us == 1577836800000000
    assert json.loads(second.metadata)["user"] == "bob"
    refused = await send(crud, create("u3", user="eve"), create("u4"), Eskit_User="ann")
    assert said(refused) == [(422, "invalid-request"), (201, 1)]
    assert refused[0]["problem"]["field"] == "user"


async def test_sent_again_it_has_its_first_answers(crud: Crud) -> None:
    lines = [
        create("u1", {"a": 1}, idempotency_key="1"),
        merge("u1", {"a": 2}, 1, idempotency_key="2"),
        merge("u1", {"a": 3}, 1, idempotency_key="3"),
        line("delete", "u1", if_match=2, idempotency_key="4"),
        create("u2", idempotency_key="5"),
        create("u3", idempotency_key="5"),
        create("u2", idempotency_key="5"),
        merge("u2", {"n": 1}, idempotency_key="6"),
    ]
    first = await send(crud, *lines)
    assert said(first) == [(201, 1), (200, 2), (412, "precondition-failed"), (204, 3), (201, 1),
                           (409, "event-id-reused"), (201, 1), (200, 1)]  # fmt: skip
    assert first[5]["problem"]["field"] == "idempotency_key"
    events = len(await crud.events())
    again = await send(crud, *lines)
    assert [(r["status"], r.get("version"), r.get("position")) for r in again if "problem" not in r] == [
        (r["status"], r.get("version"), r.get("position")) for r in first if "problem" not in r
    ]
    assert not any(r.get("stored") for r in again)
    assert len(await crud.events()) == events
    # By itself, too, though the first was stored together with others.
    alone = await crud.create("u1", {"a": 1}, Idempotency_Key="1")
    assert (alone.status, alone.json["version"], alone.json["position"]) == (201, 1, first[0]["position"])


async def test_half_of_a_batch_is_sent_again(crud: Crud) -> None:
    lines = [merge("u1", {"n": n}, idempotency_key=f"k{n}") for n in range(10)]
    await send(crud, create("u1", {}), *lines[:4])
    results = await send(crud, *lines)
    assert [r["version"] for r in results] == list(range(2, 12))
    assert [r["stored"] for r in results] == [False] * 4 + [True] * 6


async def test_lines_of_one_entity_keep_their_order(crud: Crud) -> None:
    """Over pieces of a long stream, too, and beside thousands of others."""
    lines: list[Any] = [create("hot", {"n": 0})]
    for n in range(1, 1500):
        lines += [merge("hot", {"n": n}, n), create(f"u{n}")]
    results = await send(crud, *lines)
    assert {r["status"] for r in results} == {200, 201}
    assert (await crud.get("hot")).json == {"n": 1499}
    history = [json.loads(e.payload) for e in (await crud.store.stream("User", "hot", limit=1500)).events]
    assert [said.get("merge_patch", said)["n"] for said in history] == list(range(1500))


async def test_others_write_at_the_same_time(crud: Crud) -> None:
    """Without a precondition nothing is lost, with one nothing is overwritten, whoever is faster."""
    await send(crud, create("u1", {}), create("u2", {"n": 0}))

    async def by_batch(name: str) -> list[dict[str, Any]]:
        return await send(crud, *(merge("u1", {f"{name}{n}": n}) for n in range(30)))

    async def alone() -> set[str]:
        return {f"c{n}" for n in range(30) if (await crud.merge("u1", {f"c{n}": n})).status == 200}

    one, other, single = await asyncio.gather(by_batch("a"), by_batch("b"), alone())
    # 409: others were faster ten times in a row.
    assert {r["status"] for r in (*one, *other)} <= {200, 409}
    done = {f"a{n}" for n, r in enumerate(one) if r["status"] == 200}
    done |= {f"b{n}" for n, r in enumerate(other) if r["status"] == 200}
    assert len(done) > 30
    found = await crud.get("u1")
    assert set(found.json) == done | single
    assert found.headers["ETag"] == f'"{len(done | single) + 1}"'

    racing = await asyncio.gather(
        *(send(crud, merge("u2", {"n": n}, 1), merge("u2", {"m": n}, 2)) for n in range(1, 9))
    )
    won = [results for results in racing if results[0]["status"] == 200]
    assert len(won) == 1
    assert sum(r["status"] == 200 for results in racing for r in results) >= 2
    versions = sorted(r["version"] for results in racing for r in results if r["status"] == 200)
    assert versions == [2, 3]


async def test_the_same_batch_twice_at_once_is_stored_once(crud: Crud) -> None:
    lines = [create("u1", {"n": 0}, idempotency_key="c")] + [
        merge("u1", {"n": n}, n, idempotency_key=f"k{n}") for n in range(1, 20)
    ]
    found = await asyncio.gather(*(send(crud, *lines) for _ in range(6)))
    for results in found:
        assert [r["version"] for r in results] == list(range(1, 21)), results
    assert sum(r["stored"] for results in found for r in results) == 20
    assert len(await crud.events()) == 20


async def test_lines_of_one_entity_go_into_appends_of_bounded_size(crud: Crud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(course, "MOST_BYTES", 2000)
    results = await send(
        crud, create("big", {"t": "x" * 900}), *(merge("big", {"n": n, "t": "y" * 900}) for n in range(9))
    )
    assert said(results) == [(201, 1), *((200, version) for version in range(2, 11))]
    assert 3 <= len({event.recorded_at_us for event in await crud.events()}) < 10
    assert (await crud.get("big")).json["n"] == 8
