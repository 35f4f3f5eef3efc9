"""Readers that wait, when things go wrong: they leave, stall, are too many; notices are lost, PostgreSQL goes away."""

from __future__ import annotations

import asyncio
import json
import random

import aiohttp
import psycopg
import pytest

from eskit.settings import Settings
from eventstore_svc.api.resources import FEED
from eventstore_svc.app import eventstore_app
from eventstore_svc.live import feed as feed_module
from eventstore_svc.store import open_event_store
from infra.local.postgres import PostgresServer
from tests import stack
from tests.integration.appending import load, new_event
from tests.integration.eventstore_calls import GOOD, Api
from tests.integration.waiting import Live, append
from tests.services import config_for, running, until
from tests.sse import messages


async def test_readers_that_come_go_and_resume_miss_nothing(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where what is kept in memory is shorter than how far they are behind."""
    monkeypatch.setattr(feed_module, "KEPT_EVENTS", 40)
    total, chance = 1500, random.Random(3)

    async def follow(selector: str) -> list[int]:
        seen: list[int] = []
        last_id: int | None = 0
        while last_id is not None and last_id < total:
            async with live.tail(f"?selector={selector}", last_id=last_id) as response:
                leave = chance.randint(1, 200)
                async for message in messages(response):
                    if message.data is None:
                        continue
                    last_id = int(message.last_id)
                    if message.data:
                        seen.append(json.loads(message.data)["position"])
                    leave -= 1
                    if leave == 0 or last_id >= total:
                        break
            await asyncio.sleep(chance.random() * 0.02)
        return seen

    async with open_event_store(config_for(live.feed._settings.database_url), "test") as store:
        readers = [asyncio.create_task(follow(s)) for s in ["*"] * 8 + ["Thing.*"] * 4 + ["*.Nothing"] * 2]
        for _ in range(15):
            await load(store, 100, writers=16)
        found = await asyncio.wait_for(asyncio.gather(*readers), 60)
    assert found[:12] == [list(range(1, total + 1))] * 12
    assert found[12:] == [[], []]


async def test_without_notices_there_is_the_poll(live: Live) -> None:
    """Written by somebody who tells nobody; the listening session is ended, too."""
    waiting = asyncio.create_task(live.get("/v1/log?from=1&wait=20"))
    await until(lambda: live.feed.waiting == 1)
    with psycopg.connect(live.feed._settings.database_url, autocommit=True) as owner:
        listening = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()"
        (pid,) = await until(lambda: owner.execute(listening).fetchone())
        owner.execute("SELECT pg_terminate_backend(%s)", (pid,))
        owner.execute(
            "INSERT INTO eventstore.events (position, recorded_at, occurred_on, event_id, version, entity_type, action,"
            " originator_id, metadata, payload)"
            " VALUES (1, now(), now(), gen_random_uuid(), 1, 'A', 'B', 'c', '{}', '{}')"
        )
        status, page = await waiting
        assert (status, page["next"]) == (200, 2)
        await until(lambda: owner.execute(listening).fetchone())


async def test_a_reader_that_leaves_leaves_nothing(live: Live) -> None:
    before = len(asyncio.all_tasks())
    for _ in range(20):
        response = await live.tail()
        await response.content.readany()
        response.close()
    poll = asyncio.create_task(live.get("/v1/log?from=1&wait=30"))
    await until(lambda: live.feed.waiting >= 1)
    poll.cancel()
    await append(live)
    await until(lambda: live.feed.waiting == 0)
    await until(lambda: len(asyncio.all_tasks()) <= before + 2)


async def test_more_readers_than_may_wait_are_refused_at_once(live: Live) -> None:
    responses = [await live.tail() for _ in range(50)]
    status, problem, headers = await live.call("GET", "/v1/log/tail")
    assert (status, problem["code"], headers["Retry-After"]) == (503, "overloaded", "1")
    assert (await live.get("/v1/log?from=1"))[0] == 200
    for response in responses:
        response.close()


async def test_who_does_not_read_is_cut_and_resumes_without_loss(live: Live) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(live.url.rpartition(":")[2]), limit=1024)
    writer.write(b"GET /v1/log/tail HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.readline()
    await until(lambda: live.feed.waiting == 1)
    async with open_event_store(config_for(live.feed._settings.database_url), "test") as store:
        for number in range(40):
            await store.append([new_event(f"large-{number}", payload=b'{"x":"%s"}' % (b"x" * 400_000))])
    await until(lambda: live.feed.cut == 1)
    sent = await reader.read(-1)
    writer.close()
    assert b": cut: " in sent
    positions = [int(line.split()[1]) for line in sent.splitlines() if line.startswith(b"id: ")]
    async with live.tail(last_id=positions[-1]) as response:
        async for message in messages(response):
            if message.data:
                assert json.loads(message.data)["position"] == positions[-1] + 1
                break


async def test_a_stop_sends_everybody_home(config: Settings) -> None:
    async with aiohttp.ClientSession() as session:
        app = eventstore_app(config)
        async with running(app, config, "eventstore_port") as url:
            response = await session.get(f"{url}/v1/log/tail")
            poll = asyncio.create_task(Api(url, session).get("/v1/log?from=1&wait=30"))
            await response.content.readany()
            await until(lambda: app[FEED].waiting == 2)
        assert b"the service stops" in await response.content.read()
        assert await poll == (200, {"events": [], "next": 1})


async def test_a_database_that_goes_away_and_comes_back(private_postgres: PostgresServer) -> None:
    stack.migrate(private_postgres.url)
    config = config_for(private_postgres.url, tail_poll_s=0.1, tail_heartbeat_s=0.3, pool_wait_s=0.3)
    async with running(eventstore_app(config), config, "eventstore_port") as url, aiohttp.ClientSession() as session:
        api = Api(url, session)
        await append(api)
        async with session.get(f"{url}/v1/log/tail") as response:
            await response.content.readany()
            private_postgres.stop("immediate")
            status, problem = await api.get("/v1/log?from=2&wait=1")
            assert (status, problem["code"]) == (503, "unavailable")
            private_postgres.start()

            async def appended() -> bool:
                return bool((await api.append(GOOD))[0] == 201)

            await until(appended)
            async for message in messages(response):
                if message.data:
                    assert json.loads(message.data)["position"] == 2
                    break


async def test_who_was_cut_and_never_reads_is_gone_all_the_same(live: Live) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", int(live.url.rpartition(":")[2]), limit=1024)
    writer.write(b"GET /v1/log/tail HTTP/1.1\r\nHost: x\r\n\r\n")
    await until(lambda: live.feed.waiting == 1)
    async with open_event_store(config_for(live.feed._settings.database_url), "test") as store:
        for number in range(40):
            await store.append([new_event(f"large-{number}", payload=b'{"x":"%s"}' % (b"x" * 400_000))])
    await until(lambda: live.feed.cut == 1)

    def is_reset() -> bool:
        writer.write(b"x")
        return bool(writer.transport.is_closing())

    await until(is_reset)
