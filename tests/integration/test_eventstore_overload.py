"""More appends than the database takes: the queue is bounded, what does not fit is refused at once, and it recovers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from eskit.settings import Settings
from eventstore_svc.app import eventstore_app
from infra.local.postgres import PostgresServer
from tests.integration.eventstore_calls import GOOD, Api
from tests.services import config_for, running
from tests.stack import migrate, standing_still

QUEUE = 5
BAD = {**GOOD, "payload": 1}


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
            assert not any(task.done() for task in waiting)
        assert [status for status, _ in await asyncio.gather(*waiting)] == [201] * (QUEUE + 1)
        assert (await api.append(GOOD))[1]["events"][0]["position"] == QUEUE + 3


async def test_a_batch_larger_than_the_queue_waits_for_room(config: Settings) -> None:
    small = config_for(config.database_url, max_queue=QUEUE, max_batch=2)
    async with event_store(small) as api:
        status, answer = await batch(api, [GOOD] * 10 * QUEUE)
    assert status == 200
    assert [result["status"] for result in answer["results"]] == [201] * 10 * QUEUE
