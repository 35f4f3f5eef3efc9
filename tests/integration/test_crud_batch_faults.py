"""Batches of entities when things go wrong: clients that leave, do not read, do not send; a database that goes away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import psycopg
import pytest

from crud_svc.api.resources import STORE
from crud_svc.app import crud_app
from eskit.settings import Settings
from infra.local.postgres import PostgresServer
from tests import stack
from tests.integration.crud_batches import BATCH, NDJSON, body_of, create, merge
from tests.integration.test_eventstore_batch_faults import peak_kib
from tests.services import ServiceProcess, config_for, processes, running, until

HEAD = f"POST {BATCH} HTTP/1.1\r\nHost: x\r\nContent-Type: {NDJSON}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def open_stream(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]), limit=1 << 20)
    writer.write(HEAD)
    return reader, writer


def stored(config: Settings) -> list[tuple[str, int]]:
    with psycopg.connect(config.database_url, autocommit=True) as owner:
        rows = owner.execute("SELECT originator_id, version FROM eventstore.events ORDER BY position").fetchall()
        idle = owner.execute("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in%'").fetchone()
    assert idle == (0,)
    return rows


async def test_a_result_comes_while_the_body_is_still_open(config: Settings) -> None:
    async with running(crud_app(config), config, "crud_port") as url:
        reader, writer = await open_stream(url)
        for number in range(3):
            writer.write(chunk(json.dumps(merge("u1", {"n": 1}) if number else create("u1")).encode() + b"\n"))
            text = b""
            while b'"line":%d' % (number + 1) not in text:
                text = await reader.readline()
        writer.write(b"0\r\n\r\n")
        writer.close()


async def test_a_client_that_leaves_leaves_whole_lines(config: Settings) -> None:
    """Nothing is begun for it any more, and nothing it left is half done: the same lines again find what is stored."""
    lines = [create(f"u{n}", {}, idempotency_key=f"c{n}") for n in range(500)]
    lines += [merge(f"u{n % 500}", {f"k{n}": n}, idempotency_key=f"m{n}") for n in range(3000)]
    app = crud_app(config)
    async with running(app, config, "crud_port") as url, aiohttp.ClientSession() as session:
        before = len(asyncio.all_tasks())
        reader, writer = await open_stream(url)
        writer.write(chunk(body_of(lines) + b"\n"))
        await reader.readuntil(b'"line":600')
        writer.transport.abort()
        await until(lambda: len(asyncio.all_tasks()) <= before)
        count = len(stored(config))
        assert 600 <= count < len(lines)
        assert (await app[STORE].head()).position == count
        async with session.post(url + BATCH, data=body_of(lines), headers={"Content-Type": NDJSON}) as response:
            results = [json.loads(line) async for line in response.content]
    assert {r["status"] for r in results} == {200, 201}
    assert sum(r["stored"] for r in results) == len(lines) - count
    assert len(stored(config)) == len(lines)


async def test_a_client_that_does_not_read_is_not_served_for_ever(config: Settings) -> None:
    quick = config_for(config.database_url, write_timeout_s=1.0)
    line = json.dumps(create("u1")).encode() + b"\n"
    async with running(crud_app(quick), quick, "crud_port") as url:
        _, writer = await open_stream(url)
        # Not drained: what the service does not take stays in this buffer.
        writer.write(chunk(line * 60_000))
        await until(lambda: _broken(writer))
        writer.transport.abort()
        async with aiohttp.ClientSession() as session, session.post(f"{url}/v1/entities/User", json={}) as response:
            assert response.status == 201


def _broken(writer: asyncio.StreamWriter) -> bool:
    writer.write(b"x")
    return bool(writer.transport.is_closing())


@pytest.mark.parametrize(("end", "status"), [(b"zz\r\n", 400), (b"", 408)])
async def test_a_body_without_an_end_is_told_behind_its_lines(config: Settings, end: bytes, status: int) -> None:
    quick = config_for(config.database_url, body_timeout_s=0.4)
    async with running(crud_app(quick), quick, "crud_port") as url:
        reader, writer = await open_stream(url)
        writer.write(chunk(json.dumps(create("u1")).encode() + b"\n"))
        assert b'"status":201,"line":1' in await reader.readuntil(b'"line":1')
        writer.write(end)
        text = await asyncio.wait_for(reader.read(-1), 10)
        assert b'{"status":%d,"problem"' % status in text
        writer.close()
    assert stored(config) == [("u1", 1)]


async def test_a_line_that_is_too_long_is_refused_alone(config: Settings) -> None:
    small = config_for(config.database_url, max_body_bytes=2000)
    lines = [create("u1"), create("u2", {"x": "x" * 3000}), create("u3")]
    async with running(crud_app(small), small, "crud_port") as url, aiohttp.ClientSession() as session:
        results = await send(url, session, lines)
    assert [r["status"] for r in results] == [201, 413, 201]
    assert "field" not in results[1]["problem"]
    assert results[1]["problem"]["limit"] == 2000


async def test_a_database_that_goes_away_and_comes_back(private_postgres: PostgresServer) -> None:
    """Lines get 503 as soon as it is away, all of them; sent again until they are in, each is stored once."""
    template = stack.make_template(private_postgres)
    with stack.fresh_database(private_postgres, template) as url:
        config = config_for(url, pool_wait_s=0.5, statement_timeout_s=5.0)
        lines = [create(f"u{n}", {}, idempotency_key=f"c{n}") for n in range(100)]
        lines += [merge(f"u{n % 100}", {f"k{n}": n}, idempotency_key=f"m{n}") for n in range(1000)]
        app = crud_app(config)
        async with running(app, config, "crud_port") as service, aiohttp.ClientSession() as session:
            sending = asyncio.create_task(send(service, session, lines))
            await until(lambda: sending.done() or _position(url) > 100)
            await asyncio.to_thread(private_postgres.stop, "immediate")
            first = await sending
            assert {r["status"] for r in first} <= {200, 201, 404, 503}
            assert any(r["status"] == 503 for r in first)
            away = await send(service, session, lines[:150])
            assert {r["status"] for r in away} == {503}
            await asyncio.to_thread(private_postgres.start)
            await until(lambda: _is_ready(service, session))

            async def all_in() -> bool:
                return {r["status"] for r in await send(service, session, lines)} == {200, 201}

            await until(all_in)
            found = stored(config)
    assert len(found) == len(set(found)) == len(lines)


async def _is_ready(url: str, session: aiohttp.ClientSession) -> bool:
    async with session.get(f"{url}/readyz") as response:
        return response.status == 200


def _position(url: str) -> int:
    with psycopg.connect(url, autocommit=True) as owner:
        row = owner.execute("SELECT coalesce(max(position), 0) FROM eventstore.events").fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.slow
async def test_a_body_of_any_size_takes_little_memory(config: Settings) -> None:
    total, text = 12_000, "x" * 10_000

    async def body() -> AsyncIterator[bytes]:
        for first in range(0, total, 20):
            yield body_of([create(f"u{n}", {"text": text}) for n in range(first, first + 20)]) + b"\n"

    service = ServiceProcess("crud_svc", config, "crud_port").start()
    with processes(service):
        await service.ready()
        before = peak_kib(service.pid)
        async with (
            aiohttp.ClientSession() as session,
            session.post(service.url + BATCH, data=body(), headers={"Content-Type": NDJSON}) as response,
        ):
            results = 0
            async for piece in response.content.iter_any():
                results += piece.count(b'"status":201')
        assert results == total
        assert peak_kib(service.pid) - before < 60 * 1024 < len(text) * total / 1024 / 1.9


@pytest.mark.slow
async def test_two_processes_one_of_them_killed(config: Settings) -> None:
    """Each sends the same lines; one dies on the way. All is stored once, in the order of each entity."""
    lines = [create(f"u{n}", {"n": -1}, idempotency_key=f"c{n}") for n in range(40)]
    lines += [merge(f"u{n % 40}", {"n": n}, n // 40 + 1, idempotency_key=f"m{n}") for n in range(800)]
    one = ServiceProcess("crud_svc", config, "crud_port")
    two = ServiceProcess("crud_svc", config, "crud_port")
    with processes(one, two):
        await asyncio.gather(one.start().ready(), two.start().ready())
        async with aiohttp.ClientSession() as session:
            dying = asyncio.create_task(send(one.url, session, lines))
            other = asyncio.create_task(send(two.url, session, lines))
            await until(lambda: _position(config.database_url) > 100)
            await asyncio.to_thread(one.kill)
            with pytest.raises((aiohttp.ClientError, ConnectionError)):
                await dying
            await other
            results = await send(two.url, session, lines)
    assert {r["status"] for r in results} == {200, 201}
    found = stored(config)
    assert len(found) == len(set(found)) == len(lines)


async def send(url: str, session: aiohttp.ClientSession, lines: list[Any]) -> list[dict[str, Any]]:
    async with session.post(url + BATCH, data=body_of(lines), headers={"Content-Type": NDJSON}) as response:
        assert response.status in {200, 503}
        text = await response.read()
        found = [json.loads(line) for line in text.splitlines()]
        return found if response.status == 200 else [{"status": 503}] * len(lines)
