"""Many writers of one entity: whatever they require, no update is lost, and none is done twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from eskit.settings import Settings
from tests.integration.crud_calls import Crud, Reply, crud_service

WRITERS, EACH = 4, 12
Increment = Callable[[Crud, Reply, str], Awaitable[Reply]]


async def _put(crud: Crud, read: Reply, key: str) -> Reply:
    return await crud.put("n", {**read.json, "n": read.json["n"] + 1}, read.headers["ETag"], Idempotency_Key=key)


async def _merge(crud: Crud, read: Reply, key: str) -> Reply:
    return await crud.merge("n", {"n": read.json["n"] + 1}, read.headers["ETag"], Idempotency_Key=key)


async def _merge_of_a_list(crud: Crud, read: Reply, key: str) -> Reply:
    """One of the versions that it may be based on is right; the others will never be."""
    tags = f'"x", {read.headers["ETag"]}, "0"'
    return await crud.merge("n", {"n": read.json["n"] + 1}, tags, Idempotency_Key=key)


async def _test_and_replace(crud: Crud, read: Reply, key: str) -> Reply:
    """Of any version: what it is based on is tested by the patch itself."""
    n = read.json["n"]
    patch = [{"op": "test", "path": "/n", "value": n}, {"op": "replace", "path": "/n", "value": n + 1}]
    return await crud.patch("n", patch, "*", Idempotency_Key=key)


async def _restore_after_delete(crud: Crud, read: Reply, key: str) -> Reply:
    """In two steps, of which only who has done the first can do the second."""
    deleted = await crud.delete("n", read.headers["ETag"], Idempotency_Key=f"{key} delete")
    if deleted.status != 204:
        return deleted
    created = await crud.create("n", {"n": read.json["n"] + 1}, Idempotency_Key=key)
    assert created.status == 201, "whoever comes upon a deleted entity waits"
    return created


INCREMENTS = [_put, _merge, _merge_of_a_list, _test_and_replace, _restore_after_delete]
LOST = {404, 409, 410, 412, 422}


@pytest.mark.parametrize("increment", INCREMENTS)
async def test_the_sum_of_all_increments_arrives(config: Settings, increment: Increment) -> None:
    async with crud_service(config) as one, crud_service(config) as other:
        await one.create("n", {"n": 0})

        async def writer(number: int) -> int:
            crud, refused = (one, other)[number % 2], 0
            for turn in range(EACH):
                while True:
                    read = await crud.get("n")
                    if read.status == 200:
                        key = f"{number} {turn} {refused}"
                        done = await increment(crud, read, key)
                        if done.status < 300:
                            break
                        assert done.status in LOST, done.body
                    else:
                        assert read.status == 410
                    refused += 1
            return refused

        refused = await asyncio.gather(*map(writer, range(WRITERS)))
        last = await other.get("n")
        assert last.json == {"n": WRITERS * EACH}
        assert sum(refused) > 0, "they never met"
        versions = 1 + WRITERS * EACH * (2 if increment is _restore_after_delete else 1)
        assert last.headers["ETag"] == f'"{versions}"'
        assert len((await one.store.stream("User", "n", limit=1000)).events) == versions


async def test_unconditional_additions_all_arrive_beside_foreign_events_and_retries(config: Settings) -> None:
    """Each write is sent to both instances at once under one key, while others put events into the stream."""
    async with crud_service(config) as one, crud_service(config) as other:
        await one.create("n", {"list": []})

        async def add(number: int) -> None:
            patch = [{"op": "add", "path": "/list/-", "value": number}]
            while True:
                sent = [crud.patch("n", patch, "*", Idempotency_Key=f"add {number}") for crud in (one, other)]
                replies = await asyncio.gather(*sent)
                statuses = {reply.status for reply in replies}
                assert statuses <= {200, 409}, replies
                if 200 in statuses:
                    assert len({reply.body for reply in replies if reply.status == 200}) == 1
                    return

        await asyncio.gather(*(add(number) for number in range(12)), *(other.foreign("n") for _ in range(6)))
        last = await one.get("n")
        assert sorted(last.json["list"]) == list(range(12))
        assert last.headers["ETag"] == '"19"'
