"""Lists from the entity view: how fast it fills, a list of ten against its bare SQL, how soon a write is in a list."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import aiohttp
import psycopg
import uvloop

from eskit.settings import Settings
from tests.benchmarks.measure import load, medians, peer, row, say, service
from tests.services import own_log, until
from tests.stack import local_kafka, local_postgres

CITIES = 1000
CHUNK = 200_000
EVERY_S = 0.01

FILL = """
WITH made AS (
    INSERT INTO events (position, recorded_at, occurred_on, event_id, version, entity_type, action, originator_id,
                        metadata, payload, append_size)
    SELECT n, now(), now(), gen_random_uuid(), 1, 'User', 'Created', 'u' || lpad(n::text, 9, '0'), '{}',
           '{"email":"someone@example.com","first_name":"Some","last_name":"One","active":true,'
           || '"workspaces":["alpha","beta"],"city":"city-' || n %% %(cities)s || '","count":' || n || '}', 1
      FROM generate_series(%(first)s::bigint, %(last)s) AS n
    RETURNING position)
INSERT INTO outbox SELECT position FROM made"""


def run(rounds: int, requests: int, entities: int) -> None:
    """So many entities; lists of ten of them; then writes at 100 a second."""
    with local_postgres() as postgres, local_kafka(say) as broker:
        config = own_log(postgres.url, broker.bootstrap)
        _fill(config, entities)
        with service("offsets_svc", config, "offsets_port") as port:
            config = _with(config, offsets_url=f"http://127.0.0.1:{port}")
            with (
                service("eventstore_svc.relay", config, "relay_port"),
                service("crud_svc", config, "crud_port") as crud,
            ):
                uvloop.run(_published(config, entities))
                with service("crud_svc.view", config, "view_port"):
                    uvloop.run(_filled(config, entities))
                    uvloop.run(_indexed(f"http://127.0.0.1:{crud}"))
                    _lists(config, crud, rounds, requests)
                    uvloop.run(_delays(f"http://127.0.0.1:{crud}", requests // 20))


def _with(config: Settings, **changes: object) -> Settings:
    fields = {name: getattr(config, name) for name in Settings.__struct_fields__}
    return Settings(**{**fields, **changes})


def _fill(config: Settings, entities: int) -> None:
    options = f"-c search_path={config.schema('eventstore')} -c synchronous_commit=off"
    with psycopg.connect(config.database_url, options=options, autocommit=True) as owner:
        for first in range(1, entities + 1, CHUNK):
            last = min(first + CHUNK - 1, entities)
            owner.execute(FILL, {"first": first, "last": last, "cities": CITIES})
        owner.execute("VACUUM ANALYZE events")
    say(f"  {entities:,} entities in the log")


async def _progress(config: Settings, text: str) -> int:
    try:
        async with await psycopg.AsyncConnection.connect(config.database_url, autocommit=True) as connection:
            [[found]] = await (await connection.execute(text.encode())).fetchall()
    except psycopg.errors.UndefinedTable:
        return 0
    return int(found)


async def _published(config: Settings, entities: int) -> None:
    text = f"SELECT coalesce(max(published), 0) FROM {config.schema('eventstore')}.relay_ends"

    async def done() -> bool:
        return await _progress(config, text) >= entities

    await until(done, 600)
    say("  all of them on the topic")


async def _filled(config: Settings, entities: int) -> None:
    """From the process's start on."""
    text = f"SELECT sum(next_offset) FROM {config.schema('entity_view')}.eskit_progress"
    began = time.perf_counter()

    async def done() -> bool:
        return await _progress(config, f"SELECT coalesce(({text}), 0)") >= entities

    await until(done, 1800)
    took = time.perf_counter() - began
    say(row(f"the view of {entities:,} entities is filled", "seconds", "entities/s"))
    say("|---|---|---|")
    say(row("one process, 6 partitions", f"{took:.0f}", f"{entities / took:.0f}"))


async def _indexed(url: str) -> None:
    async with aiohttp.ClientSession() as session:
        path, began = f"{url}/v1/types/User/indexes", time.perf_counter()
        async with session.post(path, json={"fields": ["city"]}) as answer:
            assert answer.status == 201, await answer.text()

        async def ready() -> bool:
            async with session.get(path) as answer:
                return bool((await answer.json())["indexes"][0]["state"] == "ready")

        await until(ready, 600)
        say(f"  an index on them is built in {time.perf_counter() - began:.0f} s")


def _lists(config: Settings, crud: int, rounds: int, requests: int) -> None:
    schema = config.schema("entity_view")
    options = f"{config.database_url}{'&' if '?' in config.database_url else '?'}options=-csearch_path%3D{schema}"
    found: dict[tuple[str, str, int], list[dict[str, float]]] = {}
    with peer("lists", options) as bare:
        for _ in range(rounds):
            for kind in ("list", "list_city"):
                for clients in (1, 16):
                    for name, port in (("bare", bare), ("ours", crud)):
                        measured = load(port, kind, requests // (8 if clients == 1 else 2), clients)
                        found.setdefault((name, kind, clients), []).append(measured)
    say(
        row(
            "a list of ten",
            "clients",
            "bare SQL p50 ms",
            "ours p50 ms",
            "p99 ms",
            "requests/s",
            "ours / bare (goal: 2)",
        )
    )
    say("|---|---|---|---|---|---|---|")
    for kind, text in (("list", "by id"), ("list_city", "filter on an indexed field")):
        for clients in (1, 16):
            one, mine = medians(found["bare", kind, clients]), medians(found["ours", kind, clients])
            cells = round(one["p50_ms"], 2), round(mine["p50_ms"], 2), round(mine["p99_ms"], 1), f"{mine['rate']:.0f}"
            say(row(text, clients, *cells, f"{mine['p50_ms'] / one['p50_ms']:.2f}"))


async def _delays(url: str, writes: int) -> None:
    async with aiohttp.ClientSession() as session:
        found = await _at_a_hundred(session, url, 100)
        found = await _at_a_hundred(session, url, writes)
    found.sort()
    p50, p99 = (found[round((len(found) - 1) * part)] * 1000 for part in (0.5, 0.99))
    say(row(f"{len(found)} writes at 100/s", "p50 ms", "p99 ms", "goal: p99"))
    say("|---|---|---|---|")
    say(row("write answered → a list has it", f"{p50:.1f}", f"{p99:.1f}", "50"))


async def _at_a_hundred(session: aiohttp.ClientSession, url: str, writes: int) -> list[float]:
    found: list[float] = []

    async def one(number: int) -> None:
        async with session.post(f"{url}/v1/entities/Written", json={"n": number}) as answer:
            assert answer.status == 201
            ident = (await answer.json())["id"]
        began = time.perf_counter()
        async with session.get(f"{url}/v1/entities/Written?limit=10&filter.n={number}") as answer:
            page: dict[str, Any] = await answer.json()
        found.append(time.perf_counter() - began)
        assert ident in {entity["id"] for entity in page["entities"]}, "not in the list"

    due = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(writes):
            due += EVERY_S
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(one(number))
    return found
