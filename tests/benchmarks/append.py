"""Append over HTTP with keep-alive clients, against a handler that only decodes, and a transaction per append."""

from __future__ import annotations

from collections.abc import Callable

from tests.benchmarks.measure import load, medians, peer, row, say, service
from tests.services import config_for
from tests.stack import local_postgres, migrate

Result = dict[str, float]


def run(rounds: int, requests: int) -> None:
    """Interleaved rounds, so that a noisy minute hits all."""
    with local_postgres() as postgres:
        migrate(postgres.url)
        config = config_for(postgres.url)
        with (
            peer("trivial", postgres.url) as trivial,
            peer("naive", postgres.url) as naive,
            service("eventstore_svc", config, "eventstore_port") as ours,
        ):
            for port in (trivial, ours, naive):
                load(port, "append", 2000)
            measured: dict[str, Callable[[], Result]] = {
                "trivial": lambda: load(trivial, "append", requests),
                "ours": lambda: load(ours, "append", requests),
                "naive": lambda: load(naive, "append", requests // 5),
                "ours, one hot stream": lambda: load(ours, "append_hot", requests),
                "ours, 10 events": lambda: load(ours, "append10", requests // 10),
                "ours, one client": lambda: load(ours, "append", 1000, 1),
                "naive, one client": lambda: load(naive, "append", 1000, 1),
            }
            results: dict[str, list[Result]] = {name: [] for name in measured}
            for number in range(rounds):
                for name, measure in measured.items():
                    results[name].append(measure())
                rates = ", ".join(f"{name} {found[-1]['rate']:.0f}/s" for name, found in results.items())
                say(f"  round {number + 1} of {rounds}: {rates}")
    _report({name: medians(found) for name, found in results.items()})


def _report(found: dict[str, Result]) -> None:
    ours = found["ours"]["rate"]
    say(row("append, 64 clients", "requests/s", "p50 ms", "p99 ms", "ours / it"))
    say("|---|---|---|---|---|")
    for name, result in found.items():
        say(row(name, f"{result['rate']:.0f}", result["p50_ms"], result["p99_ms"], f"{ours / result['rate']:.2f}"))
    single = found["ours, one client"]["p50_ms"] / found["naive, one client"]["p50_ms"]
    say(f"\nours / trivial {ours / found['trivial']['rate']:.2f} (goal 0.8), "
        f"ours / naive {ours / found['naive']['rate']:.1f} (goal 6), "
        f"one hot stream / distinct streams {found['ours, one hot stream']['rate'] / ours:.2f} (goal 0.7), "
        f"events/s with 10 in a request / one {10 * found['ours, 10 events']['rate'] / ours:.1f} (goal 3), "
        f"p50 of one client ours / naive {single:.2f} (goal 1.25 at most)")  # fmt: skip
