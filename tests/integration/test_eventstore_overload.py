"""More appends than the database takes: the queue is bounded, what does not fit is refused at once, and it recovers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
import pytest
from psycopg import AsyncConnection

from eskit.errors import Overloaded
from eskit.settings import Settings
from eventstore_svc.app import eventstore_app
from eventstore_svc.store import Appended, EventStore, NewEvent, Submitted, open_event_store
from infra.local.postgres import PostgresServer
from tests.integration.appending import new_event
from tests.integration.eventstore_calls import GOOD, Api
from tests.services import config_for, running, until
from tests.stack import migrate, standing_still

QUEUE = 5
BAD = {**GOOD, "payload": 1}
NDJSON = {"Content-Type": "application/x-ndjson"}
# What the function that appends locks first: while somebody else has it, appends wait.
LOCK = "SELECT pg_advisory_lock(hashtextextended('eskit.log eventstore', 0))"
WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


@asynccontextmanager
async def held_up(config: Settings, store: EventStore) -> AsyncIterator[Submitted]:
    """One append is in flight and does not get on; what is submitted now waits in the queue."""
    async with await AsyncConnection.connect(config.database_url, autocommit=True) as other:
        await other.execute(LOCK)

        async def in_flight() -> bool:
            row = await (await other.execute(WAITING)).fetchone()
            return row == (1,)

        first = store.submit([new_event("first")])
        await until(in_flight)
        yield first


def several(count: int) -> list[NewEvent]:
    return [new_event("s") for _ in range(count)]


@asynccontextmanager
async def event_store(config: Settings) -> AsyncIterator[Api]:
    async with (
        running(eventstore_app(config), config, "eventstore_port") as url,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session,
    ):
        yield Api(url, session)


async def batch(api: Api, appends: list[Any]) -> tuple[int, Any]:
    status, answer, _ = await api.call("POST", "/v1/events/batch", json={"appends": appends})
    return status, answer


async def refusal(api: Api) -> int:
    status, _, _ = await api.call("POST", "/v1/events", json=BAD)
    return status


async def test_a_full_queue_refuses_at_once_and_recovers(private_postgres: PostgresServer) -> None:
    """No clock: what is refused is answered while all that waits still does."""
    migrate(private_postgres.url)
    async with event_store(config_for(private_postgres.url, max_queue=QUEUE, max_batch=1)) as api:
        assert (await api.append(GOOD))[0] == 201
        with standing_still(private_postgres.url, "eskit eventstore"):
            waiting = [asyncio.create_task(api.append(GOOD))]
            # This body is bad, so it never takes a place in the queue. By then the first append is in flight.
            assert [await refusal(api) for _ in range(20)] == [422] * 20
            waiting += [asyncio.create_task(api.append(GOOD)) for _ in range(QUEUE)]
            assert [await refusal(api) for _ in range(20)][-1] == 503
            status, answer, headers = await api.call("POST", "/v1/events", json=BAD)
            assert (status, answer["code"], headers["Retry-After"]) == (503, "overloaded", "1")
            assert str(QUEUE) in answer["detail"]
            status, answer = await batch(api, [GOOD])
            assert (status, answer["code"]) == (503, "overloaded")
            status, answer, headers = await api.call("POST", "/v1/events/batch", data=b"{}\n", headers=NDJSON)
            assert (status, answer["code"], headers["Retry-After"]) == (503, "overloaded", "1")
            assert not any(task.done() for task in waiting)
        assert [status for status, _ in await asyncio.gather(*waiting)] == [201] * (QUEUE + 1)
        assert (await api.append(GOOD))[1]["events"][0]["position"] == QUEUE + 3


async def test_a_batch_larger_than_the_queue_waits_for_room(config: Settings) -> None:
    small = config_for(config.database_url, max_queue=QUEUE, max_batch=2)
    async with event_store(small) as api:
        status, answer = await batch(api, [GOOD] * 10 * QUEUE)
    assert status == 200
    assert [result["status"] for result in answer["results"]] == [201] * 10 * QUEUE


async def test_the_queue_is_bounded_in_events_and_no_append_is_too_large_for_it(config: Settings) -> None:
    async with open_event_store(config_for(config.database_url, max_queue=10, max_batch=5), "test") as store:
        async with held_up(config, store) as first:
            way = [(one, store.submit(one)) for one in (several(6), several(3), several(20))]
            with pytest.raises(Overloaded, match=r"29 events .*ESKIT_MAX_QUEUE\b"):
                store.submit(several(1))
            with pytest.raises(Overloaded):
                store.require_room()
            room = asyncio.create_task(store.room())
            await asyncio.sleep(0)
            assert not room.done()
        await room
        store.require_room()
        settled = await store.settle([([], first), *way])
        assert [len(one.events) for one in settled if isinstance(one, Appended)] == [1, 6, 3, 20]
        assert (await store.head()).position == 30


async def test_the_queue_is_bounded_in_bytes_too(config: Settings) -> None:
    async with open_event_store(config_for(config.database_url, max_queue_bytes=2000), "test") as store:
        payload = b'{"a":"%s"}' % (b"x" * 900)
        large = b'{"a":"%s"}' % (b"x" * 10_000)
        async with held_up(config, store) as first:
            way = [([e], store.submit([e])) for e in (new_event("a", payload=payload), new_event("b", payload=large))]
            with pytest.raises(Overloaded, match="ESKIT_MAX_QUEUE_BYTES"):
                store.submit(several(1))
            room = asyncio.create_task(store.room())
        await room
        assert [type(one) for one in await store.settle([([], first), *way])] == [Appended] * 3
        async with held_up(config, store):
            last = store.submit([new_event("c", payload=large)])  # larger than the bound, but nothing else waits
            with pytest.raises(Overloaded):
                store.require_room()
        await last
        await store.append(several(1))
        assert (await store.head()).position == 6


async def test_who_repeats_one_id_again_and_again_keeps_nobody_else_waiting(config: Settings) -> None:
    async with open_event_store(config, "test") as store:
        async with held_up(config, store) as first:
            same = msgspec.structs.replace(new_event("same"), id_is_given=True)
            repeats = [store.submit([same]) for _ in range(50)]
            other = store.submit([new_event("other")])
        ways = [([new_event("first")], first), ([new_event("other")], other), *(([same], repeat) for repeat in repeats)]
        settled = await store.settle(ways)
    assert all(isinstance(one, Appended) for one in settled)
    found = [(one.events[0].position, one.new) for one in settled if isinstance(one, Appended)]
    assert found[:3] == [(1, True), (3, True), (2, True)]
    assert found[3:] == [(2, False)] * 49


async def test_who_waits_for_room_leaves_half_of_it_to_those_who_do_not(config: Settings) -> None:
    small = config_for(config.database_url, max_queue=10)
    async with open_event_store(small, "test") as store:
        async with held_up(config, store):
            waiting = 0
            while True:
                try:
                    await asyncio.wait_for(store.room(), 0.2)
                except TimeoutError:
                    break
                store.submit([new_event("line")])
                waiting += 1
            assert waiting == 5
            for _ in range(5):
                store.submit([new_event("other")])
            with pytest.raises(Overloaded):
                store.require_room()
        await store.room()
