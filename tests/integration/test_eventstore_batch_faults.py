"""Streams of appends when things go wrong: clients that do not read, do not send, leave; a database that goes away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
import pytest

from eskit.ids import uuid7
from eskit.settings import Settings
from eventstore_svc.app import eventstore_app
from infra.local.postgres import PostgresServer
from tests import stack
from tests.integration.test_eventstore_batch import NDJSON, one
from tests.services import ServiceProcess, config_for, processes, running, until

HEAD = (
    b"POST /v1/events/batch HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def open_stream(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]), limit=4096)
    writer.write(HEAD)
    return reader, writer


async def stored(config: Settings) -> int:
    with psycopg.connect(config.database_url, autocommit=True) as owner:
        row = owner.execute("SELECT count(*), coalesce(max(position), 0) FROM eventstore.events").fetchone()
        idle = owner.execute("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in%'").fetchone()
    assert row is not None
    assert row[0] == row[1]
    assert idle == (0,)
    return int(row[0])


async def test_a_result_comes_while_the_body_is_still_open(config: Settings) -> None:
    async with running(eventstore_app(config), config, "eventstore_port") as url:
        reader, writer = await open_stream(url)
        for number in range(3):
            writer.write(chunk(json.dumps(one(f"u{number}")).encode() + b"\n"))
            text = b""
            while b'"line":%d' % (number + 1) not in text:
                text = await reader.readline()
        writer.write(b"0\r\n\r\n")
        writer.close()


async def test_a_client_that_does_not_read_is_not_served_for_ever(config: Settings) -> None:
    quick = config_for(config.database_url, write_timeout_s=1.0)
    line = json.dumps(one("u1")).encode() + b"\n"
    async with running(eventstore_app(quick), quick, "eventstore_port") as url:
        _, writer = await open_stream(url)
        # Not drained: what the service does not take stays in this buffer.
        writer.write(chunk(line * 200_000))
        await until(lambda: _broken(writer))
        assert await stored(quick) < 200_000
        writer.transport.abort()
        async with aiohttp.ClientSession() as session, session.post(f"{url}/v1/events", json=one("u2")) as response:
            assert response.status == 201


def _broken(writer: asyncio.StreamWriter) -> bool:
    writer.write(b"x")
    return bool(writer.transport.is_closing())


async def test_a_silent_sender_is_told_and_cut(config: Settings) -> None:
    quick = config_for(config.database_url, body_timeout_s=0.4)
    async with running(eventstore_app(quick), quick, "eventstore_port") as url:
        reader, writer = await open_stream(url)
        writer.write(chunk(json.dumps(one("u1")).encode() + b"\n" + b'{"half'))
        async with asyncio.timeout(20):
            text = (await reader.read(-1)).decode()
        writer.close()
    results = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    assert [(r.get("line"), r["status"]) for r in results] == [(1, 201), (None, 408)]


async def test_a_client_that_leaves_in_the_middle_leaves_nothing_half(config: Settings) -> None:
    async with running(eventstore_app(config), config, "eventstore_port") as url:
        before = len(asyncio.all_tasks())
        for number in range(20):
            _, writer = await open_stream(url)
            pair = json.dumps({"events": [one(f"a{number}"), one(f"b{number}")]}).encode() + b"\n"
            writer.write(chunk(pair * (1 + 50 * number) + pair[: 7 * number]))
            await writer.drain()
            writer.transport.abort()
        await until(lambda: len(asyncio.all_tasks()) <= before + 1)
        assert await stored(config) % 2 == 0


@pytest.mark.slow
async def test_a_body_of_any_size_takes_little_memory(config: Settings) -> None:
    line = json.dumps(one("u1", payload={"text": "x" * 5000})).encode() + b"\n"
    total = 60_000

    async def body() -> AsyncIterator[bytes]:
        for _ in range(total // 50):
            yield line * 50

    service = ServiceProcess("eventstore_svc", config, "eventstore_port").start()
    with processes(service):
        await service.ready()
        pid = service._process.pid if service._process else 0
        before = peak_kib(pid)
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=300)) as session:
            url = f"{service.url}/v1/events/batch"
            async with session.post(url, data=body(), headers=NDJSON) as response:
                results = 0
                async for piece in response.content.iter_any():
                    results += piece.count(b'"status":201')
        assert results == total
        assert peak_kib(pid) - before < 100 * 1024
    assert len(line) * total > 300_000_000


def peak_kib(pid: int) -> int:
    """The most memory a process has had."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))


async def test_lines_sent_again_after_the_database_was_away_are_stored_once(private_postgres: PostgresServer) -> None:
    stack.migrate(private_postgres.url)
    config = config_for(private_postgres.url, pool_wait_s=0.3)
    todo = [one(f"u{n % 7}", event_id=str(uuid7()), payload={"n": n}) for n in range(4000)]

    async def send(url: str, session: aiohttp.ClientSession, appends: list[dict[str, Any]]) -> list[int]:
        body = b"".join(json.dumps(append).encode() + b"\n" for append in appends)
        async with session.post(f"{url}/v1/events/batch", data=body, headers=NDJSON) as response:
            return [json.loads(line)["status"] for line in (await response.text()).splitlines()]

    async with running(eventstore_app(config), config, "eventstore_port") as url, aiohttp.ClientSession() as session:
        first = asyncio.create_task(send(url, session, todo))

        async def begun() -> bool:
            async with session.get(f"{url}/v1/log/head") as response:
                return bool((await response.json()).get("position", 0) > 100)

        await until(begun)
        private_postgres.stop("immediate")
        private_postgres.start()
        statuses = await first
        assert len(statuses) == len(todo)
        assert set(statuses) <= {200, 201, 503}
        left = todo
        while left:
            statuses = await send(url, session, left)
            left = [append for append, status in zip(left, statuses, strict=True) if status == 503]
        assert set(await send(url, session, todo)) == {200}
    assert await stored(config) == len(todo)


@pytest.mark.parametrize("header", ["Eskit-User: ", "Eskit-Correlation-Id: "])
async def test_lines_with_a_header_that_is_wrong_are_refused(config: Settings, header: str) -> None:
    """Before anything is answered; once it was never answered."""
    head = HEAD.replace(b"Host: x", b"Host: x\r\nConnection: close\r\n" + header.encode())
    async with running(eventstore_app(config), config, "eventstore_port") as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(head + chunk(json.dumps(one("u1")).encode()) + b"0\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(-1), 10)
        assert answer.startswith(b"HTTP/1.1 422 ")
        assert f'"field":"{header[:-2]}"'.encode() in answer
        writer.close()
    assert await stored(config) == 0
