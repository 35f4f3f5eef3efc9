"""The service done another way, under the same load over HTTP: event loop, payloads, answers, batches."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from eskit.settings import variable
from infra.local.ports import free_port
from tests.benchmarks.designs.ways import turned
from tests.benchmarks.measure import load, row, say, wait_for
from tests.benchmarks.waiting import cpu_s
from tests.services import ROOT, config_for, environment
from tests.stack import local_postgres, migrate

NAMES = ("today", "asyncio", "objects", "web.json_response", "web.Response", "wait 1 ms")
CAPS = (1000, 64, 256, 4000)
# kind of load, clients, requests a round, events in a request
LOADS = {
    "64 clients": ("append", 64, 6000, 1),
    "256 clients": ("append", 256, 6000, 1),
    "one client": ("append", 1, 300, 1),
    "64 clients, 10 events each": ("append10", 64, 1500, 10),
    "8 clients, 1,000 lines each": ("lines", 8, 24, 1000),
}


class Service(NamedTuple):
    """A running one."""

    port: int
    pid: int


@contextmanager
def started(url: str, name: str, max_batch: int = 1000) -> Iterator[Service]:
    """One variant in a process of its own."""
    port = free_port()
    environ = dict(os.environ) | environment(config_for(url, max_batch=max_batch, max_queue=100_000))
    environ |= {variable("eventstore_port"): str(port), "ESKIT_LOG_LEVEL": "warning"}
    command = [sys.executable, "-m", "tests.benchmarks.designs.variant", name]
    process = subprocess.Popen(command, cwd=ROOT, env=environ)
    try:
        wait_for(port)
        yield Service(port, process.pid)
    finally:
        process.terminate()
        process.wait(20)


def run(rounds: int, events: int) -> None:
    """All on one database, one under load at a time."""
    with local_postgres() as postgres:
        migrate(postgres.url)
        with ExitStack() as stack:
            variants = {name: stack.enter_context(started(postgres.url, name)) for name in NAMES}
            compare(variants, ("64 clients", "256 clients", "one client"), rounds)
        with ExitStack() as stack:
            caps = {f"{cap} events": stack.enter_context(started(postgres.url, "today", max_batch=cap)) for cap in CAPS}
            compare(caps, ("256 clients", "64 clients, 10 events each", "8 clients, 1,000 lines each"), rounds)


def compare(services: Mapping[str, Service], loads: Sequence[str], rounds: int) -> None:
    """A table for each load."""
    for service in services.values():
        load(service.port, "append", 2000)
    for name in loads:
        kind, clients, requests, each = LOADS[name]
        found: dict[str, list[tuple[float, float, float, float]]] = {variant: [] for variant in services}
        for number in range(rounds):
            for variant in turned(list(services), number):
                port, pid = services[variant]
                before = cpu_s(pid)
                result = load(port, kind, requests, clients)
                used = 1e6 * (cpu_s(pid) - before) / (requests * each)
                found[variant].append((result["rate"] * each, used, result["p50_ms"], result["p99_ms"]))
        _table(name, found)


def _table(title: str, found: Mapping[str, Sequence[tuple[float, float, float, float]]]) -> None:
    base = next(iter(found.values()))
    say("\n" + row(title, "events/s", "ratio", "service CPU µs an event", "ratio", "p50 ms", "p99 ms"))
    say("|---|---|---|---|---|---|---|")
    for name, rounds in found.items():
        rate, used, p50, p99 = (statistics.median(values) for values in zip(*rounds, strict=True))
        faster = statistics.median(mine[0] / its[0] for mine, its in zip(rounds, base, strict=True))
        dearer = used / statistics.median(values[1] for values in base)
        say(row(name, f"{rate:.0f}", f"{faster:.2f}", f"{used:.0f}", f"{dearer:.2f}", f"{p50:.1f}", f"{p99:.1f}"))
    rates = sorted(values[0] for values in base)
    say(f"noise: the first line's rounds lie within {rates[0]:.0f} and {rates[-1]:.0f} events/s")
