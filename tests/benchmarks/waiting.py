"""A thousand long polls and a thousand live tails: what they cost while nothing happens, and when something does."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from pathlib import Path

from eventstore_svc.store import open_event_store
from tests.benchmarks.measure import many_files, row, say, service
from tests.integration.appending import new_event
from tests.services import config_for
from tests.stack import local_postgres, migrate

READERS = 1000
SECONDS = 25.0


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
    before, started = cpu_s(pid), time.perf_counter()
    await asyncio.sleep(SECONDS)
    share = (cpu_s(pid) - before) / (time.perf_counter() - started)
    say(row("2,000 waiting readers", "value"))
    say("|---|---|")
    say(row("share of a core while nothing happens", f"{100 * share:.1f} % (goal: below 5)"))
    for task in polls:
        task.cancel()
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
    while True:
        writer.write(b"GET /v1/log?from=1&wait=30 HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"}")


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


def cpu_s(pid: int) -> float:
    """Seconds of processor time."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
