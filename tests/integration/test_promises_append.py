"""P1, P2, P3: what is acknowledged is stored, versions and positions are dense, the log is visible in order."""

from __future__ import annotations

import asyncio
from collections import Counter

import aiohttp
import msgspec
import psycopg
import pytest

from eskit.client.event_types import NewEvent
from eskit.client.eventstore import EventStore as Client
from eskit.errors import EskitError, VersionConflict
from eskit.selectors import Selector
from eskit.settings import Settings
from eventstore_svc.app import eventstore_app
from eventstore_svc.store import EventStore, Recorded, open_event_store
from infra.local.postgres import PostgresServer
from tests.integration.appending import keep_appending, load, new_event
from tests.services import config_for, running, until
from tests.stack import migrate


async def whole_log(store: EventStore) -> list[int]:
    """Every position, page by page."""
    positions: list[int] = []
    page = await store.log(1, 1000, Selector("*"))
    while page.events:
        positions += [event.position for event in page.events]
        page = await store.log(page.next, 1000, Selector("*"))
    return positions


async def test_64_writers_on_one_stream_with_expected_versions(config: Settings) -> None:
    """P2: every version is given out once, every 201 has one of its own, nothing is skipped."""
    wins: Counter[int] = Counter()
    lost: list[tuple[int, int, int]] = []

    async def write(client: Client) -> None:
        version = 0
        while version < 300:
            try:
                event = NewEvent(id="one", event_type="Thing.Changed", payload={}, version=version + 1)
                (answer,) = await client.append(event)
            except VersionConflict as conflict:
                lost.append((version, conflict.extra["expected"], conflict.extra["actual"]))
                version = conflict.extra["actual"]
            else:
                version = answer.originator.version
                wins[version] += 1

    async with running(eventstore_app(config), config, "eventstore_port") as url, Client(url) as client:
        await asyncio.gather(*(write(client) for _ in range(64)))
        stored = [e.originator.version for e in (await client.stream("Thing", "one")).events]
        head = await client.head()
    assert stored == list(range(1, len(stored) + 1))
    assert len(stored) >= 300
    assert sorted(wins.elements()) == stored
    assert head.position == len(stored)
    assert lost
    assert all(expected == asked < actual for asked, expected, actual in lost)


async def test_two_processes_of_writers_share_the_log(config: Settings) -> None:
    """P2, P3 with two batchers on one database, as two services would be."""
    async with open_event_store(config, "one") as one, open_event_store(config, "two") as two:
        recorded = [r for part in await asyncio.gather(load(one, 1500), load(two, 1500)) for r in part]
        assert sorted(r.position for r in recorded) == list(range(1, 3001))
        for ident, count in Counter(r.originator_id for r in recorded).items():
            assert sorted(r.version for r in recorded if r.originator_id == ident) == list(range(1, count + 1))
        assert await whole_log(one) == list(range(1, 3001))


async def test_reader_misses_nothing_while_a_foreign_transaction_stays_open(config: Settings) -> None:
    """P3: a reader that pages behind 64 writers sees positions dense and in order, and is not held up by anybody."""
    seen: list[int] = []
    total = 4000

    async def read(client: Client) -> None:
        first = 1
        while len(seen) < total:
            page = await client.log(first, limit=100)
            seen.extend(event.position for event in page.events)
            assert page.next == (seen[-1] + 1 if seen else 1)
            first = page.next

    async with (
        await psycopg.AsyncConnection.connect(config.database_url) as foreign,
        running(eventstore_app(config), config, "eventstore_port") as url,
        open_event_store(config, "writers") as store,
        Client(url) as client,
    ):
        await foreign.execute("CREATE TABLE foreign_work (n integer)")
        await foreign.commit()
        await foreign.execute("INSERT INTO foreign_work VALUES (1)")  # has a transaction id, and stays open
        await asyncio.wait_for(asyncio.gather(read(client), load(store, total)), 60)
        await foreign.rollback()
    assert seen == list(range(1, total + 1))


async def test_atomic_over_several_streams(config: Settings) -> None:
    """P1: one event of an append that does not fit takes all others with it, on every stream."""
    async with open_event_store(config, "test") as store:
        await store.append([new_event("a", 1)])
        second = msgspec.structs.replace(new_event("a", 1), at="events[1].")
        with pytest.raises(VersionConflict) as caught:
            await store.append([new_event("b", 1), second, new_event("c", 1)])
        assert caught.value.extra == {"expected": 0, "actual": 1}
        assert caught.value.field == "events[1].originator.version"
        assert await whole_log(store) == [1]
        appended = await store.append([new_event("b", 1), new_event("a", 2), new_event("b", 2)])
        assert [(r.originator_id, r.version, r.position) for r in appended.events] == [
            ("b", 1, 2),
            ("a", 2, 3),
            ("b", 2, 4),
        ]


async def test_a_conflict_fails_its_own_append_only(config: Settings) -> None:
    """D2: in one batch, the neighbours of a conflict are stored, and appends to one stream follow each other."""
    async with open_event_store(config, "test") as store:
        appends = [[new_event("hot", n)] for n in (1, 1, 2, 7, 3)]
        results = await asyncio.gather(*(store.append(events) for events in appends), return_exceptions=True)
        kinds = [r.extra["actual"] if isinstance(r, VersionConflict) else "stored" for r in results]
        assert kinds == ["stored", 1, "stored", 2, "stored"]
        assert await whole_log(store) == [1, 2, 3]


@pytest.mark.parametrize("how", ["kill", "fast"])
async def test_acknowledged_events_survive_postgres(private_postgres: PostgresServer, how: str) -> None:
    """P1: Postgres dies under 16 writers; whatever was acknowledged is there afterwards, once, and appends go on."""
    migrate(private_postgres.url)
    config = config_for(private_postgres.url)
    acknowledged: list[Recorded] = []
    stopped = False
    async with open_event_store(config, "test") as store:
        writers = [asyncio.create_task(keep_appending(store, lambda: stopped, acknowledged)) for _ in range(16)]
        await until(lambda: len(acknowledged) > 500)
        await asyncio.to_thread(private_postgres.kill if how == "kill" else private_postgres.stop)
        before = len(acknowledged)
        await asyncio.to_thread(private_postgres.start)
        await until(lambda: len(acknowledged) > before + 500)
        stopped = True
        await asyncio.gather(*writers)
        positions = await whole_log(store)
    assert positions == list(range(1, len(positions) + 1))
    recorded = [r.position for r in acknowledged]
    assert len(set(recorded)) == len(recorded)
    assert set(recorded) == set(positions)


async def test_a_lost_client_leaves_no_transaction_open(config: Settings) -> None:
    """A client that goes away in the middle cancels nothing half way."""
    async with running(eventstore_app(config), config, "eventstore_port") as url:
        body = b'{"originator":{"id":"x"},"event_type":"Thing.Changed","payload":{}}'
        for delay_ms in range(20):
            async with aiohttp.ClientSession() as session:
                request = asyncio.create_task(session.post(f"{url}/v1/events", data=body))
                await asyncio.sleep(delay_ms / 4000)
                request.cancel()
                await asyncio.gather(request, return_exceptions=True)
        async with Client(url) as client:
            await client.append(NewEvent(id="y", event_type="Thing.Changed", payload={}))
        async with await psycopg.AsyncConnection.connect(config.database_url) as connection:
            query = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in%' AND datname = current_database()"
            assert await (await connection.execute(query)).fetchone() == (0,)


async def test_a_failed_begin_is_no_success(config: Settings) -> None:
    """The original answered success when its transaction could not begin."""
    away = config_for("postgresql://nobody@127.0.0.1:1/nothing")
    async with open_event_store(away, "test") as store:
        with pytest.raises(EskitError) as caught:
            await store.append([new_event("a")])
    assert caught.value.code == "unavailable"
