"""Reading at its edges: streams that are not there, chains of causes, late readers, odd parameters."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import uvloop

from eskit.postgres import connections
from eskit.postgres.statements import statement
from eskit.settings import Settings
from eventstore_svc.live import feed
from eventstore_svc.store import Filter, open_event_store, schema
from eventstore_svc.store.fetching import Fetcher
from tests.integration.appending import new_event
from tests.integration.eventstore_calls import GOOD, Api
from tests.integration.waiting import Live, append, open_live
from tests.services import until


@pytest.mark.parametrize("tags", ["*", '"0"', '"0+"'])
@pytest.mark.parametrize("end", ["", "/events"])
async def test_what_does_not_exist_is_not_unchanged(api: Api, tags: str, end: str) -> None:
    status, problem, _ = await api.call("GET", f"/v1/streams/User/nobody{end}", headers={"If-None-Match": tags})
    assert (status, problem["code"]) == (404, "not-found")


@pytest.mark.parametrize("note", ["\0", "C:\\users\\u0000x", "\\\0\\", "\\\\u0000 and \0", "\U0001f600", '"\\u'])
async def test_a_chain_is_found_whatever_else_the_metadata_says(api: Api, note: str) -> None:
    for ident in ("a", "b"):
        event = GOOD | {"originator": {"id": ident}, "metadata": {"note": note, "correlation_id": "chain"}}
        assert (await api.append(event))[0] == 201
    _, page = await api.get("/v1/log?correlation_id=chain")
    assert [(e["originator"]["id"], e["metadata"]["note"]) for e in page["events"]] == [("a", note), ("b", note)]
    waiting = asyncio.create_task(api.get("/v1/log?correlation_id=chain&from=3&wait=20"))
    assert (await api.append(GOOD | {"metadata": {"note": note, "correlation_id": "chain"}}))[0] == 201
    assert [e["position"] for e in (await waiting)[1]["events"]] == [3]


def _scans(plan: dict[str, Any]) -> Iterator[tuple[str, int]]:
    if "Index Name" in plan:
        yield plan["Index Name"], plan["Actual Rows"] * plan["Actual Loops"]
    for child in plan.get("Plans", []):
        yield from _scans(child)


@pytest.mark.parametrize("direction", ["forward", "backward"])
async def test_a_page_of_a_long_chain_does_not_read_the_chain(config: Settings, direction: str) -> None:
    with psycopg.connect(config.database_url, options="-c search_path=eventstore", autocommit=True) as owner:
        owner.execute(
            "INSERT INTO events (position, recorded_at, occurred_on, event_id, version, entity_type, action,"
            " originator_id, metadata, payload) SELECT n, now(), now(), gen_random_uuid(), n, 'T', 'A', 's',"
            """ '{"correlation_id":"one"}', '{}' FROM generate_series(1, 20000) AS n"""
        )
        owner.execute("ANALYZE events")
        chain: dict[str, Any] = Filter(correlation_id="one").parameters()
        values = chain | {"first": 5001, "last": 20000, "limit": 10, "most_bytes": 1 << 23}
        text = "EXPLAIN (ANALYZE, FORMAT JSON) " + statement("eventstore_svc", f"linked_page_{direction}")
        row = owner.execute(text, values).fetchone()
    assert row is not None
    read = dict(_scans(row[0][0]["Plan"]))
    assert read["events_correlation"] <= 11, read


async def test_a_late_reader_gets_large_events_piece_by_piece(
    config: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a thousand of them, come back after a break, do not hold a page of 8 MiB each."""
    monkeypatch.setattr(feed, "KEPT_EVENTS", 2)
    async with open_live(config) as live, open_event_store(config, "test") as store:
        first = asyncio.create_task(live.get("/v1/log?from=30&wait=20"))
        await until(lambda: live.feed.waiting == 1)
        for number in range(30):
            await store.append([new_event(f"large-{number}", payload=b'{"x":"%s"}' % (b"x" * 100_000))])
        await first
        with live.feed.reader():
            await until(lambda: live.feed._kept)
            piece = await live.feed.more(1, Filter(), 1000, 5)
    assert [event.position for event in piece.events] == [1, 2, 3]
    assert piece.next == 4


async def test_readers_are_told_again_after_whatever_went_wrong(
    config: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "RETRY_S", 0.05)
    async with open_live(config) as live:
        fresh, failed = live.feed._store.pages.fresh, asyncio.Event()

        async def fails_once(after: int, limit: int) -> Any:
            if not failed.is_set():
                failed.set()
                raise ZeroDivisionError("nobody thought of this")
            return await fresh(after, limit)

        monkeypatch.setattr(live.feed._store.pages, "fresh", fails_once)
        waiting = asyncio.create_task(live.get("/v1/log?wait=20"))
        await failed.wait()
        await append(live)
        assert [e["position"] for e in (await waiting)[1]["events"]] == [1]


async def test_links_of_the_log_end_where_the_log_ends(live: Live) -> None:
    await append(live, 3)
    status, page, headers = await live.call("GET", "/v1/log?limit=2")
    assert (status, page["next"], 'rel="next"' in headers["Link"]) == (200, 3, True)
    status, page, headers = await live.call("GET", "/v1/log?limit=2&from=3")
    assert (status, page["next"], "Link" in headers) == (200, 4, False)
    status, page, headers = await live.call("GET", "/v1/log?selector=*.Nothing")
    assert (status, page["next"], "Link" in headers) == (200, 4, False)


async def test_parameters_reach_postgres_as_they_are(config: Settings) -> None:
    """Texts in arrays, too, whatever is in them."""
    ours = schema(config)
    info = connections.conninfo(config, ours, "writer", "test")
    async with connections.open_pool(config, info, ours) as pool:
        fetch = Fetcher(pool).fetch
        ident = f'{uuid4()} "quoted" back\\slash {{brace}}, NULL ü \U0001f600'
        values: dict[str, Any] = {
            "first": 1, "last": 9, "limit": 9, "most_bytes": 9, "entity_type": None, "everything": False,
            "whole_types": [ident, None, "NULL", ""], "actions": [None, "a,b", "", "}"], "event_types": [],
        }  # fmt: skip
        assert len(await fetch("log_page_forward", values)) == 0
        rows = await fetch("log_end", {})
        assert (len(rows), rows.number(0, 0), rows.numbers(0)) == (1, 0, [0])
        with pytest.raises(psycopg.DataError):
            await fetch("log_page_forward", values | {"first": "no number"})
        assert len(await fetch("log_page_forward", values)) == 0  # and the session goes on


def test_json_of_an_event_is_json(database_url: str) -> None:
    odd = 'x" \\ / ü \U0001f600'
    with psycopg.connect(database_url, options="-c search_path=eventstore") as owner:
        for seconds, text in ((0, "2026-01-02T03:04:05.000000Z"), (0.5, "2026-01-02T03:04:05.500000Z")):
            row = owner.execute(
                "SELECT event_json(7, gen_random_uuid(), 'A.B', %s, 3, 'C', '{}', '{\"k\": \"@\"}',"
                " '2026-01-02T03:04:05Z'::timestamptz, '2026-01-02T03:04:05Z'::timestamptz + %s * interval '1 second')",
                (odd, seconds),
            ).fetchone()
            assert row is not None
            event = json.loads(row[0])
            assert (event["originator"], event["event_type"]) == ({"id": odd, "version": 3}, "A.B.C")
            assert (event["occurred_on"], event["recorded_at"]) == ("2026-01-02T03:04:05.000000Z", text)
            assert event["metadata"] == {"k": "@"}


OURS = "FROM pg_stat_activity WHERE application_name = 'ended'"


def test_a_session_that_was_ended_is_no_reason_to_fail(config: Settings, caplog: pytest.LogCaptureFixture) -> None:
    """On uvloop, where a connection that is reset shows itself late; and psycopg says nothing of it in the log."""

    async def run() -> None:
        async with open_event_store(config, "ended") as store:
            await store.append([new_event("one")])
            with psycopg.connect(config.database_url, autocommit=True) as owner:
                for _ in range(20):
                    assert await store.pages.end() == 1
                    owner.execute(
                        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'ended'"
                    )
                    assert await store.pages.end() == 1

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
    assert not [record for record in caplog.records if "rollback" in record.getMessage()]
