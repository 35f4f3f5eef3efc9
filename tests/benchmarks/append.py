"""Append over HTTP with 64 keep-alive clients, against a handler that only decodes, and a transaction per append."""

from __future__ import annotations

from tests.benchmarks.measure import load, medians, peer, row, say, service
from tests.services import config_for
from tests.stack import local_postgres, migrate


def run(rounds: int, requests: int) -> None:
    """Interleaved rounds, so that a noisy minute hits all three."""
    with local_postgres() as postgres:
        migrate(postgres.url)
        config = config_for(postgres.url)
        results: dict[str, list[dict[str, float]]] = {"trivial": [], "ours": [], "naive": [], "ours, 10 events": []}
        with (
            peer("trivial", postgres.url) as trivial,
            peer("naive", postgres.url) as naive,
            service("eventstore_svc", config, "eventstore_port") as ours,
        ):
            for port in (trivial, ours, naive):
                load(port, "append", 2000)
            for number in range(rounds):
                results["trivial"].append(load(trivial, "append", requests))
                results["ours"].append(load(ours, "append", requests))
                results["naive"].append(load(naive, "append", requests // 5))
                results["ours, 10 events"].append(load(ours, "append10", requests // 10))
                say(
                    f"  round {number + 1} of {rounds}: "
                    + ", ".join(f"{k} {v[-1]['rate']:.0f}/s" for k, v in results.items())
                )
            single = [load(port, "append", 1000, 1) for port in (ours, naive)]
    _report({name: medians(found) for name, found in results.items()}, single)


def _report(found: dict[str, dict[str, float]], single: list[dict[str, float]]) -> None:
    ours = found["ours"]
    say(row("append, 64 clients", "requests/s", "p50 ms", "p99 ms", "ours / it"))
    say("|---|---|---|---|---|")
    for name, result in found.items():
        ratio = ours["rate"] / result["rate"]
        say(row(name, f"{result['rate']:.0f}", result["p50_ms"], result["p99_ms"], f"{ratio:.2f}"))
    say(f"\none client, p50: ours {single[0]['p50_ms']} ms, naive {single[1]['p50_ms']} ms; "
        f"ratio {single[0]['p50_ms'] / single[1]['p50_ms']:.2f}")  # fmt: skip
    say("goals: at least 0.6 of trivial, at least 5 times naive")
