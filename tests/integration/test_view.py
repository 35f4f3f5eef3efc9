"""The entity view is the fold of the log, whoever keeps it and whatever happens; and what lists say meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest

from crud_svc.view.consumer import projecting
from eskit.client.offsets import Offsets
from eskit.consumer.transactions.exchange import Choices
from eskit.consumer.transactions.rebuild import pair, rebuild
from eskit.consumer.transactions.switch import switch
from eskit.offsets import Reset
from eskit.settings import Settings
from eventstore_svc.store import EventStore, open_event_store
from tests.integration.appending import new_event
from tests.integration.crud_calls import crud_service
from tests.integration.viewing import Life, Lists, caught_up, folded, kept, relayed, view_process, viewed
from tests.services import until

pytestmark = pytest.mark.real_kafka


@pytest.fixture
async def config(log_config: Settings) -> AsyncIterator[Settings]:
    async with relayed(log_config) as found:
        yield found


@pytest.fixture
async def store(config: Settings) -> AsyncIterator[EventStore]:
    async with open_event_store(config, "test") as found:
        yield found


async def equal(config: Settings, store: EventStore) -> None:
    await caught_up(config, store)
    assert await kept(config) == await folded(store)


async def test_it_is_the_fold_of_the_log_with_two_who_keep_it(config: Settings, store: EventStore) -> None:
    life = Life(1)
    await life.go_on(store, 500)
    async with view_process(config):
        await equal(config, store)
        async with view_process(config):
            await life.go_on(store, 1500)
            await equal(config, store)
        await life.go_on(store, 300)
        await equal(config, store)


async def test_a_reset_to_the_beginning_changes_nothing(config: Settings, store: EventStore) -> None:
    life = Life(2)
    await life.go_on(store, 500)
    async with view_process(config):
        await equal(config, store)
    async with Offsets(config.offsets_url) as client:
        await client.reset("entity-view", Reset(topic=config.topic, to="beginning", force=True))
    async with view_process(config):
        await life.go_on(store, 100)
        await equal(config, store)


HOSTILE = [
    b'{"\\u0000": "\\u0000", "a\\u0000b": ["\\u0000", {"\\ud83d\\ude00\\u0000": 1}]}',
    b'{"tiny": 1e-320, "less": 1e-400, "least": -1e-99999, "zero": -0.0, "most": 1.7976931348623157e308}',
    b'{"huge": ' + b"9" * 4000 + b', "long": "' + b"x" * 100_000 + b'", "\\\\u0000": "\\\\u0000"}',
    b'{"' + b"k" * 5000 + b'": ' + b"[" * 90 + b"]" * 90 + b"}",
    b'{"": {"": ""}, " ": null, "emoji": "\xf0\x9f\x98\x80", "html": "</script>"}',
]


async def test_no_document_stops_it(config: Settings, store: EventStore) -> None:
    """Also with indexes on what is long, odd or missing."""
    async with view_process(config), crud_service(config) as crud:
        lists = Lists(crud)
        await until(lists.there)
        for fields in (["/long", "/" + "k" * 150, "/tiny", "/huge"], ["-/long", "-/long/x", "most"], ["/emoji"]):
            reply = await crud.call("POST", "/v1/types/User/indexes", {"fields": fields})
            assert reply.status == 201
        for number, body in enumerate(HOSTILE):
            assert (await crud.create(f"user-{number}", body)).status == 201
        await store.append([new_event("not json for us", payload=b'{"a": 1, "a": 2}', kind="User.Created")])
        await equal(config, store)
        assert (await lists.raw({"filter.zero": "0", "wait": "20"}))["entities"][0]["id"] == "user-1"
        for number, body in enumerate(HOSTILE):
            assert body in (await crud.call("GET", f"/v1/entities/User?limit={number + 1}")).body


async def test_events_of_others_count_as_versions_and_make_no_entity(log_config: Settings) -> None:
    async with viewed(log_config, view_wait_s=20.0) as lists:
        await lists.crud.foreign("ann")
        await lists.crud.foreign("nobody")
        await lists.crud.create("ann", {"n": 1})
        await lists.crud.foreign("ann", "Renamed")
        await lists.crud.delete("ann")
        await lists.crud.foreign("ann", "Mourned")
        assert (await lists())["entities"] == []
        [ann] = (await lists(deleted="true"))["entities"]
        assert (ann["id"], ann["version"], ann["position"], ann["deleted"]) == ("ann", 5, 6, True)
        assert ann["document"] == {"n": 1}
        past = (await lists(position=4))["entities"]
        assert [(one["id"], one["version"]) for one in past] == [("ann", 3)]
        [again] = (await lists(position=6, deleted="true"))["entities"]
        assert again == ann
        assert (await lists(position=1))["entities"] == []


async def test_without_a_view_lists_wait_say_so_and_entities_are_read_on(config: Settings, store: EventStore) -> None:
    async with crud_service(config) as crud:
        await crud.create("ann", {"n": 1})
        none = await crud.call("GET", "/v1/entities/User?wait=0")
        assert none.said == (503, "unavailable")
        assert none.headers["Retry-After"] == "1"
        assert "python -m crud_svc.view" in none.json["detail"]
        assert (await crud.get("ann")).json == {"n": 1}
        indexes = await crud.call("POST", "/v1/types/User/indexes", {"fields": ["n"]})
        assert indexes.status == 201
        assert (await crud.call("GET", "/v1/types/User/indexes")).json["indexes"][0]["state"] == "unknown"
        async with view_process(config):
            await caught_up(config, store)
        await crud.create("bob", {"n": 2})
        stale = await crud.call("GET", "/v1/entities/User?wait=0.2")
        assert [one["id"] for one in stale.json["entities"]] == ["ann"]
        assert stale.headers["Eskit-View-Stale"] == "true"
        assert int(stale.headers["Eskit-View-Position"]) < 3
        assert len((await crud.call("GET", "/v1/entities/User?position=3")).json["entities"]) == 2
        waiting = asyncio.create_task(crud.call("GET", "/v1/entities/User?wait=30"))
        async with view_process(config):
            fresh = await waiting
        assert len(fresh.json["entities"]) == 2
        assert "Eskit-View-Stale" not in fresh.headers
        assert fresh.headers["Eskit-View-Position"] == "3"


async def test_it_is_rebuilt_while_it_is_read(log_config: Settings) -> None:
    """The copy takes its place with the declared indexes, and lists go on all the while."""
    async with viewed(log_config, view_wait_s=20.0) as lists:
        config, life, stop = lists.config, Life(3), asyncio.Event()
        await life.go_on(lists.crud.store, 500)
        assert (await lists.crud.call("POST", "/v1/types/User/indexes", {"fields": ["city"]})).status == 201
        await caught_up(config, lists.crud.store)
        answered = 0

        async def read() -> None:
            nonlocal answered
            while not stop.is_set():
                await life.go_on(lists.crud.store, 2)
                page = await lists(limit=100)
                wanted = [row[1] for row in await folded(lists.crud.store) if not row[4]]
                assert [one["id"] for one in page["entities"]] == wanted
                answered += 1

        reading = asyncio.create_task(read())
        copy = f"entity_view_2_{config.log}"
        pairs = partial(pair, projecting(config), "entity-view-2", copy)
        await rebuild(config, pairs(), lambda _: None)
        switched = await switch(config, pairs(), Choices(wait_s=20.0))
        assert switched.different == {}
        before = answered
        await until(lambda: answered > before + 5 or reading.done())
        stop.set()
        await reading
        await equal(config, lists.crud.store)
        found = (await lists.crud.call("GET", "/v1/types/User/indexes")).json["indexes"]
        assert [index["state"] for index in found] == ["ready"]
