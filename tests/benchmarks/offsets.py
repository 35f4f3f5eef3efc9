"""Commits of single partitions and lists, with 100,000 consumers stored, against a handler that does less."""

from __future__ import annotations

from collections.abc import Callable

import psycopg

from tests.benchmarks.measure import load, medians, peer, row, say, service
from tests.services import config_for
from tests.stack import local_postgres, migrate

Result = dict[str, float]

CONSUMERS = 100_000
FILL = """
INSERT INTO offsets.consumers (name)
SELECT 'c' || lpad(n::text, 6, '0') FROM generate_series(0, %(consumers)s - 1) AS n;
INSERT INTO offsets.offsets (consumer, topic, partition, next_offset, position)
SELECT name, 'eskit.application-log', p, 1, 1 FROM offsets.consumers, generate_series(0, 5) AS p ORDER BY name, p;
VACUUM ANALYZE offsets.offsets;
VACUUM ANALYZE offsets.consumers;
CHECKPOINT;"""


def run(rounds: int, requests: int) -> None:
    """Interleaved rounds, so that a noisy minute hits all."""
    with local_postgres() as postgres:
        migrate(postgres.url)
        fill(postgres.url)
        config = config_for(postgres.url)
        with (
            peer("trivial", postgres.url) as trivial,
            peer("naive", postgres.url) as update,
            service("offsets_svc", config, "offsets_port") as ours,
        ):
            for port in (trivial, update, ours):
                load(port, "commit", 2000)
            measured: dict[str, Callable[[], Result]] = {
                "trivial": lambda: load(trivial, "commit", requests),
                "ours": lambda: load(ours, "commit", requests),
                "bare UPDATE": lambda: load(update, "commit", requests // 2),
                "ours, one client": lambda: load(ours, "commit", 1000, 1),
                "bare UPDATE, one client": lambda: load(update, "commit", 1000, 1),
                "list of 100, one client": lambda: load(ours, "consumers", 100, 1),
                "list of 100, 8 clients": lambda: load(ours, "consumers", 400, 8),
            }
            results: dict[str, list[Result]] = {name: [] for name in measured}
            for number in range(rounds):
                for name, measure in measured.items():
                    results[name].append(measure())
                rates = ", ".join(f"{name} {found[-1]['rate']:.0f}/s" for name, found in results.items())
                say(f"  round {number + 1} of {rounds}: {rates}")
    _report({name: medians(found) for name, found in results.items()})


def fill(url: str) -> None:
    """So many consumers with six partitions each."""
    with psycopg.connect(url, autocommit=True) as owner:
        for text in FILL.split(";"):
            owner.execute(text, {"consumers": CONSUMERS} if "%(" in text else None)


def _report(found: dict[str, Result]) -> None:
    ours = found["ours"]["rate"]
    say(row(f"{CONSUMERS} consumers with 6 partitions", "requests/s", "p50 ms", "p99 ms", "ours / it"))
    say("|---|---|---|---|---|")
    for name, result in found.items():
        ratio = "" if name.startswith("list") else f"{ours / result['rate']:.2f}"
        say(row(name, f"{result['rate']:.0f}", f"{result['p50_ms']:.2f}", f"{result['p99_ms']:.1f}", ratio))
    single = found["ours, one client"]["p50_ms"] / found["bare UPDATE, one client"]["p50_ms"]
    listed = found["list of 100, one client"]["p50_ms"]
    say(f"\n{ours:.0f} commits/s (goal 3000), ours / trivial {ours / found['trivial']['rate']:.2f}, "
        f"ours / bare UPDATE {ours / found['bare UPDATE']['rate']:.1f}, "
        f"p50 of one client ours / bare UPDATE {single:.2f}, list p50 {listed:.1f} ms (goal 50)")  # fmt: skip
