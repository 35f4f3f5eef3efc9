"""Twice the load that the machine can take: what is accepted must not wait long, what is refused is refused at once.

`python -m tests.benchmarks.overload PORT RATE` offers appends at a rate, whatever becomes of them, and prints one JSON
line: accepted and refused (1/s), p50, p99 and refused_p99 (ms from when a request was due), unoffered (1/s).
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import cast

import uvloop

from tests.benchmarks.load import append_one
from tests.benchmarks.measure import child, load, many_files, row, say, service
from tests.services import config_for
from tests.stack import local_postgres, migrate

SECONDS = 6.0
CONNECTIONS = 2000
SMALL_QUEUE = 500
COLUMNS = ("accepted", "refused", "unoffered", "p50", "p99", "refused_p99")


def run(rounds: int, requests: int) -> None:
    """A closed loop to find the rate, then open loops below, at and above it; with a queue that fills, too."""
    many_files()
    with local_postgres() as postgres:
        migrate(postgres.url)
        say(row("offered", "accepted/s", "refused/s", "not offered/s", "p50 ms", "p99 ms", "refused: p99 ms"))
        say("|---" * 7 + "|")
        for config in (config_for(postgres.url), config_for(postgres.url, max_queue=SMALL_QUEUE)):
            with service("eventstore_svc", config, "eventstore_port", log_level="error") as port:
                load(port, "append", 2000)
                rate = load(port, "append", requests)["rate"]
                for factor in (0.5, 1.0, 2.0):
                    found = [offered(port, rate * factor) for _ in range(rounds)]
                    middle = sorted(found, key=lambda one: one["p99"])[len(found) // 2]
                    name = f"{factor:g} x {rate:.0f}/s, queue of {config.max_queue}"
                    say(row(name, *(f"{middle[column]:.0f}" for column in COLUMNS)))


def offered(port: int, rate: float) -> dict[str, float]:
    """One round, in a process of its own."""
    result: dict[str, float] = json.loads(child("tests.benchmarks.overload", str(port), str(rate)))
    return result


class Connection(asyncio.Protocol):
    """One request at a time; free again when its answer is there. Answers are small and come in one piece."""

    def __init__(self, free: list[Connection], times: dict[bool, list[float]]) -> None:
        self._free = free
        self._times = times
        self._clock = asyncio.get_running_loop().time
        self._due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but its class
        self._free.append(self)

    def send(self, request: bytes, due: float) -> None:
        """A request that should have been sent at `due`."""
        self._due = due
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._times[data.startswith(b"HTTP/1.1 201")].append(self._clock() - self._due)
        self._free.append(self)


async def offer(port: int, rate: float) -> dict[str, float]:
    """Requests at a rate for some seconds, and what became of them."""
    loop = asyncio.get_running_loop()
    free: list[Connection] = []
    times: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(CONNECTIONS):
        await loop.create_connection(lambda: Connection(free, times), "127.0.0.1", port)
    requests = [append_one() for _ in range(1000)]
    started = loop.time()
    due = unoffered = 0
    while (now := loop.time() - started) < SECONDS:
        while due < now * rate:
            if free:
                free.pop().send(requests[due % len(requests)], started + due / rate)
            else:
                unoffered += 1
            due += 1
        await asyncio.sleep(0.001)
    while len(free) < CONNECTIONS:  # noqa: ASYNC110 - an event set for each answer would cost the generator
        await asyncio.sleep(0.01)
    accepted, refused = (sorted(times[key]) or [0.0] for key in (True, False))
    shares = ((accepted, 0.5), (accepted, 0.99), (refused, 0.99))
    latencies = [1000 * times_s[int(share * (len(times_s) - 1))] for times_s, share in shares]
    rates = (len(times[True]) / SECONDS, len(times[False]) / SECONDS, unoffered / SECONDS)
    return dict(zip(COLUMNS, (*rates, *latencies), strict=True))


if __name__ == "__main__":
    sys.stdout.write(json.dumps(uvloop.run(offer(int(sys.argv[1]), float(sys.argv[2])))) + "\n")
