"""A thousand long polls and a thousand live tails: what they cost while nothing happens, and when something does.

What the service and PostgreSQL spend counts, over more than the time of one poll: so each has come back once.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from pathlib import Path

import psycopg

from eventstore_svc.store import open_event_store
from tests.benchmarks.measure import many_files, row, say, service
from tests.integration.appending import new_event
from tests.services import config_for
from tests.stack import local_postgres, migrate

READERS = 1000
SECONDS = 35.0


def run(rounds: int) -> None:
    """One round says it; the rest is for the delay."""
    many_files()
    with local_postgres() as postgres:
        migrate(postgres.url)
        with service("eventstore_svc", config_for(postgres.url), "eventstore_port") as port:
            asyncio.run(measure(port, postgres.url, rounds))


async def measure(port: int, url: str, rounds: int) -> None:
    """Open them, wait, append."""
    pid = listener(port)
    polls = [asyncio.create_task(poll(port)) for _ in range(READERS)]
    tails = [await tail(port) for _ in range(READERS)]
    await asyncio.sleep(3)
    before, started = spent_s(pid, url), time.perf_counter()
    shares = []
    for _ in range(max(1, rounds // 3)):
        await asyncio.sleep(SECONDS)
        assert await waiting(port) == 2 * READERS
        after, now = spent_s(pid, url), time.perf_counter()
        shares.append([(b - a) / (now - started) for a, b in zip(before, after, strict=True)])
        before, started = after, now
    say(row("2,000 waiting readers", "share of a core while nothing happens"))
    say("|---|---|")
    for name, found in zip(("service (goal: below 5 %)", "PostgreSQL"), zip(*shares, strict=True), strict=True):
        say(row(name, f"{100 * statistics.median(found):.1f} %"))
    for task in polls:
        task.cancel()
    for problem in await asyncio.gather(*polls, return_exceptions=True):
        assert isinstance(problem, asyncio.CancelledError), problem
    async with open_event_store(config_for(url), "bench") as store:
        delays = []
        for _ in range(10 * rounds):
            await asyncio.sleep(0.05)
            appended = time.perf_counter()
            await store.append([new_event("x")])
            await asyncio.gather(*(until_data(reader) for reader, _ in tails))
            delays.append(time.perf_counter() - appended)
    say(row("append to the last of 1,000 tails, p50", f"{1000 * statistics.median(delays):.0f} ms"))
    for _, writer in tails:
        writer.close()


async def poll(port: int) -> None:
    """Long polls, one after the other."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while True:
            writer.write(b"GET /v1/log?from=1&wait=30 HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200 ")
    finally:
        writer.close()


async def waiting(port: int) -> int:
    """How many readers the service says wait."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    (text,) = [
        line for line in (await reader.read(-1)).splitlines() if line.startswith(b"eskit_eventstore_waiting_readers ")
    ]
    writer.close()
    return int(float(text.split()[1]))


async def tail(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """An open live tail."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /v1/log/tail HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.readuntil(b"retry: ")
    return reader, writer


async def until_data(reader: asyncio.StreamReader) -> None:
    """The next message."""
    await reader.readuntil(b"data: ")


def listener(port: int) -> int:
    """The process that was started last: the service."""
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    found = [int(pid) for pid in children if b"eventstore_svc" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert found, port
    return found[-1]


def spent_s(pid: int, url: str) -> tuple[float, float]:
    """Seconds of processor time: of the service, and of the sessions that it has in PostgreSQL."""
    with psycopg.connect(url, autocommit=True) as owner:
        query = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'eskit eventstore%'"
        sessions = [row[0] for row in owner.execute(query).fetchall()]
    return cpu_s(pid), sum(cpu_s(session) for session in sessions)


def cpu_s(pid: int) -> float:
    """Seconds of processor time."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
