"""Writes at once, and writes again: every success is one event, a retry gets the first answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from crud_svc.entities.entities import TRIES
from eskit.errors import OutcomeUnknown
from eskit.settings import Settings
from eventstore_svc.store import EventStore
from tests.integration.crud_calls import Crud, crud_service, path


@pytest.fixture
async def crud(config: Settings) -> AsyncIterator[Crud]:
    async with crud_service(config) as service:
        yield service


async def test_of_many_updates_of_one_version_one_wins(crud: Crud) -> None:
    await crud.create("u", {"n": 0})
    replies = await asyncio.gather(*(crud.put("u", {"n": n}, match='"1"') for n in range(1, 21)))
    assert sorted(r.status for r in replies) == [200] + [412] * 19
    assert {r.json["version"] for r in replies} == {2}
    assert len(await crud.events()) == 2


async def test_unconditional_patches_all_arrive(config: Settings) -> None:
    async with crud_service(config) as one, crud_service(config) as other:
        await one.create("u", {})
        calls = [(one, other)[n % 2].merge("u", {f"f{n}": n}) for n in range(8)]
        replies = await asyncio.gather(*calls)
        assert [r.status for r in replies] == [200] * 8
        assert sorted(r.json["version"] for r in replies) == list(range(2, 10))
        assert (await one.get("u")).json == {f"f{n}": n for n in range(8)}


async def test_of_many_creates_one_wins(crud: Crud) -> None:
    replies = await asyncio.gather(*(crud.create("u", {"n": n}) for n in range(10)))
    assert sorted(r.status for r in replies) == [201] + [412] * 9


async def test_an_entity_that_never_holds_still_ends_in_a_conflict(crud: Crud, monkeypatch: pytest.MonkeyPatch) -> None:
    await crud.create("u", {})
    append, tries = crud.store.append, 0

    async def late(events: Any) -> Any:
        nonlocal tries
        tries += 1
        monkeypatch.setattr(crud.store, "append", append)
        await crud.foreign("u")
        monkeypatch.setattr(crud.store, "append", late)
        return await append(events)

    monkeypatch.setattr(crud.store, "append", late)
    reply = await crud.merge("u", {"a": 1})
    assert (reply.said, reply.json["actual"]) == ((409, "version-conflict"), TRIES + 1)
    assert tries == TRIES
    stale = await crud.merge("u", {"a": 1}, match=f'"{TRIES + 1}"')
    assert (stale.said, stale.json["version"]) == ((412, "precondition-failed"), TRIES + 2)


@pytest.mark.parametrize("key", ["order 7", "0195d3f0-0000-7000-8000-000000000001"])
async def test_a_create_sent_again_is_one_entity(crud: Crud, key: str) -> None:
    first = await crud.call("POST", "/v1/entities/User", '{"a":1.0}', Idempotency_Key=key)
    await crud.merge(first.json["id"], {"a": 2})
    again = await crud.call("POST", "/v1/entities/User", '{ "a":1.0 }', Idempotency_Key=key)
    assert (again.status, again.json) == (201, first.json)
    for name in ("ETag", "Location", "Eskit-Position"):
        assert again.headers[name] == first.headers[name]
    other = await crud.call("POST", "/v1/entities/User", '{"a":1}', Idempotency_Key=key)
    assert other.said == (409, "event-id-reused"), "the same number in another spelling is other content"
    elsewhere = await crud.call("POST", "/v1/entities/Org", '{"a":1.0}', Idempotency_Key=key)
    assert elsewhere.said == (409, "event-id-reused")
    assert len(await crud.events()) == 2


async def test_every_write_sent_again_gets_its_first_answer(crud: Crud) -> None:
    async def everything() -> list[Any]:
        return [
            await crud.create("u", {"a": 1}, Idempotency_Key="1"),
            await crud.put("u", {"a": 2, "list": [1]}, match='"1"', Idempotency_Key="2"),
            await crud.merge("u", {"b": 3}, match='"2"', Idempotency_Key="3"),
            await crud.merge("u", {"c": 3}, match="*", Idempotency_Key="4"),
            await crud.patch("u", [{"op": "add", "path": "/list/-", "value": 2}], match='"4"', Idempotency_Key="5"),
            await crud.put("u", {"a": 9}, match='"5"', Idempotency_Key="6", Prefer="return=representation"),
            await crud.delete("u", match='"6"', Idempotency_Key="7"),
            await crud.create("u", {"a": 10}, Idempotency_Key="8"),
        ]

    first, again = await everything(), await everything()
    assert [r.status for r in first] == [201, 200, 200, 200, 200, 200, 204, 201]
    for one, other in zip(first, again, strict=True):
        assert (one.status, one.body) == (other.status, other.body)
        assert one.headers.get("ETag") == other.headers.get("ETag")
        assert one.headers["Eskit-Position"] == other.headers["Eskit-Position"]
    assert len(await crud.events()) == 8


async def test_a_key_used_for_something_else_is_refused(crud: Crud) -> None:
    await crud.create("u", {"a": 1}, Idempotency_Key="k1")
    await crud.merge("u", {"a": 2}, match='"1"', Idempotency_Key="k2")
    used = [
        await crud.merge("u", {"a": 3}, match='"2"', Idempotency_Key="k2"),
        await crud.merge("u", {"a": 3}, match='"1"', Idempotency_Key="k2"),
        await crud.merge("u", {}, match='"2"', Idempotency_Key="k2"),
        await crud.delete("u", match='"2"', Idempotency_Key="k2"),
        await crud.delete("u", match='"2"', Idempotency_Key="k1"),
        await crud.create("v", {"a": 1}, Idempotency_Key="k1"),
        await crud.create("u", {"a": 7}, Idempotency_Key="k1"),
        await crud.merge("nobody", {}, Idempotency_Key="k1"),
        await crud.patch("u", [{"op": "remove", "path": "/nope"}], Idempotency_Key="k2"),
    ]
    assert [r.said for r in used] == [(409, "event-id-reused")] * len(used)
    assert len(await crud.events()) == 2


async def test_a_refused_write_may_be_sent_again_under_its_key(crud: Crud) -> None:
    assert (await crud.put("u", {"a": 1}, Idempotency_Key="k")).said == (404, "not-found")
    await crud.create("u", {"a": 0})
    assert (await crud.put("u", {"a": 1}, match='"9"', Idempotency_Key="k")).said == (412, "precondition-failed")
    assert (await crud.put("u", {"a": 1}, match='"1"', Idempotency_Key="k")).json["version"] == 2


async def test_the_same_write_many_times_at_once_is_one_event(config: Settings) -> None:
    async with crud_service(config) as one, crud_service(config) as other:
        posts = [
            (one, other)[n % 2].call("POST", "/v1/entities/User", '{"a":1}', Idempotency_Key="k") for n in range(10)
        ]
        created = await asyncio.gather(*posts)
        assert {(r.status, r.body) for r in created} == {(201, created[0].body)}
        ident = created[0].json["id"]
        merges = [(one, other)[n % 2].merge(ident, {"b": 2}, match='"1"', Idempotency_Key="m") for n in range(10)]
        merged = await asyncio.gather(*merges)
        assert {(r.status, r.body) for r in merged} == {(200, merged[0].body)}
        assert len(await one.events()) == 2


async def test_a_lost_answer_names_the_key_to_try_again_with(crud: Crud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key the service has made up the event's id; the error says it, and with it the write is found again."""
    append = EventStore.append

    async def lost(store: EventStore, events: Any) -> Any:
        await append(store, events)
        raise OutcomeUnknown("gone", event_ids=[str(e.event_id) for e in events])

    with monkeypatch.context() as patch:
        patch.setattr(EventStore, "append", lost)
        reply = await crud.call("POST", "/v1/entities/User", '{"a":1}')
    assert reply.said == (503, "outcome-unknown")
    assert "Retry-After" in reply.headers
    (key,) = reply.json["event_ids"]
    again = await crud.call("POST", "/v1/entities/User", '{"a":1}', Idempotency_Key=key)
    assert (again.status, again.json) == (201, {"id": str(UUID(key)), "version": 1, "position": 1})
    assert (await crud.call("GET", path(again.json["id"]))).json == {"a": 1}
