"""The same calls on a log that grows: 100,000 events, then more. What is flat stays at a ratio of 1."""

from __future__ import annotations

import statistics
from collections.abc import Callable

import psycopg

from tests.benchmarks.filling import fill, stream_name
from tests.benchmarks.measure import load, row, say, service
from tests.benchmarks.reads import stream
from tests.services import config_for
from tests.stack import local_postgres, migrate

FIRST = 100_000
SIZES = """
SELECT relname, pg_relation_size(oid)::float8 / (SELECT max(position) FROM events)
  FROM pg_class WHERE relname LIKE 'events%' AND relkind IN ('r', 'i') ORDER BY 2 DESC"""


def run(rounds: int, requests: int, largest: int) -> None:
    """Grows by tens, and measures at each size."""
    results: dict[int, dict[str, float]] = {}
    with local_postgres() as postgres:
        migrate(postgres.url)
        size = end = 0
        while size < largest:
            size = FIRST if not size else size * 10
            with psycopg.connect(postgres.url, options="-c search_path=eventstore") as owner:
                found = owner.execute("SELECT coalesce(max(position), 0) FROM events").fetchone()
            end = found[0] if found else 0
            say(f"  filling up to {size:,} events")
            fill(postgres.url, end + 1, size)
            results[size] = measured(postgres.url, size, rounds, requests)
        report(results)
        with psycopg.connect(postgres.url, options="-c search_path=eventstore") as owner:
            say("\nbytes an event: " + ", ".join(f"{name} {each:.0f}" for name, each in owner.execute(SIZES)))


def measured(url: str, size: int, rounds: int, requests: int) -> dict[str, float]:
    """Medians at one size."""
    short = stream_name(url, size // 2)
    with service("eventstore_svc", config_for(url), "eventstore_port") as port:
        load(port, "append", 2000)
        calls: dict[str, Callable[[], float]] = {
            "append, 64 clients, µs": lambda: 1e6 / load(port, "append", requests)["rate"],
            "stream of 10, µs": lambda: 1e6 * stream(port, short),
            "stream of 1000, µs": lambda: 1e6 * stream(port, "long"),
        }
        return {name: statistics.median([call() for _ in range(rounds)]) for name, call in calls.items()}


def report(results: dict[int, dict[str, float]]) -> None:
    """A table with a column for each size."""
    sizes = list(results)
    say(row("events in the log", *(f"{size:,}" for size in sizes), "largest / smallest"))
    say("|---" * (len(sizes) + 2) + "|")
    for name in results[sizes[0]]:
        values = [results[size][name] for size in sizes]
        say(row(name, *(f"{value:.0f}" for value in values), f"{values[-1] / values[0]:.2f}"))
    say("goal: at most 1.3")
