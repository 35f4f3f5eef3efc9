"""Readers that wait: long polls and live tails see each event once, in order, as soon as it is there."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.integration.waiting import Live, append
from tests.services import until
from tests.sse import messages


async def test_a_poll_is_answered_by_the_next_event(live: Live) -> None:
    waiting = asyncio.create_task(live.get("/v1/log?from=1&wait=20"))
    await until(lambda: live.feed.waiting == 1)
    await append(live)
    status, page = await waiting
    assert (status, [e["position"] for e in page["events"]], page["next"]) == (200, [1], 2)
    assert page["events"] == (await live.get("/v1/log"))[1]["events"]
    await until(lambda: live.feed.waiting == 0)


async def test_a_poll_for_what_is_there_does_not_wait(live: Live) -> None:
    await append(live, 3)
    status, page = await live.get("/v1/log?from=2&wait=30")
    assert (status, [e["position"] for e in page["events"]], page["next"]) == (200, [2, 3], 4)


async def test_a_poll_moves_past_what_its_filter_skips(live: Live) -> None:
    await append(live)
    waiting = asyncio.create_task(live.get("/v1/log?wait=1&selector=*.Paid"))
    await until(lambda: live.feed.waiting == 1)
    await append(live, 2)
    status, page = await waiting
    assert (status, page) == (200, {"events": [], "next": 4})
    waiting = asyncio.create_task(live.get("/v1/log?from=4&wait=20&selector=*.Paid&limit=1"))
    await until(lambda: live.feed.waiting == 1)
    await append(live)
    await append(live, 2, "User.Paid")
    status, page = await waiting
    assert (status, [e["position"] for e in page["events"]], page["next"]) == (200, [5], 6)


@pytest.mark.parametrize("query", ["wait=31", "wait=-1", "wait=x", "wait=1&direction=backward",
                                   "wait=1&event_id=01a20c57-9331-7971-8669-ffaba7c628bf"])  # fmt: skip
async def test_polls_that_make_no_sense_are_refused(live: Live, query: str) -> None:
    status, problem = await live.get(f"/v1/log?{query}")
    assert (status, problem["field"]) == (422, "wait")


async def test_a_tail_begins_with_what_is_new(live: Live) -> None:
    await append(live, 2)
    async with live.tail() as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        assert response.headers["Cache-Control"] == "no-store"
        await until(lambda: live.feed.waiting == 1)
        await append(live)
        async for message in messages(response):
            if message.data:
                assert (message.last_id, json.loads(message.data)["position"]) == ("3", 3)
                break


async def test_a_tail_resumes_behind_the_last_id(live: Live) -> None:
    await append(live, 5)
    async with live.tail("?from=1", last_id=3) as response:
        found = []
        async for message in messages(response):
            if message.data:
                found.append(json.loads(message.data))
                if len(found) == 2:
                    break
    assert found == (await live.get("/v1/log?from=4"))[1]["events"]


async def test_a_filtered_tail_is_told_how_far_it_is(live: Live) -> None:
    async with live.tail("?selector=*.Paid") as response:
        await until(lambda: live.feed.waiting == 1)
        await append(live, 4)
        async for message in messages(response):
            if message.data is not None:
                assert (message.last_id, message.data) == ("4", "")
                break


async def test_an_idle_tail_shows_that_it_lives(live: Live) -> None:
    async with live.tail() as response:
        comments = 0
        async for message in messages(response):
            assert message.data is None
            comments += 1
            if comments == 2:
                break


@pytest.mark.parametrize("last_id", ["-1", "x", "1.5", "9" * 19])
async def test_a_last_id_that_is_none_is_refused(live: Live, last_id: str) -> None:
    status, problem, _ = await live.call("GET", "/v1/log/tail", headers={"Last-Event-ID": last_id})
    assert (status, problem["field"]) == (422, "Last-Event-ID")
