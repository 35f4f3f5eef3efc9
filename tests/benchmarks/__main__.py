"""`python -m tests.benchmarks [NAME …]`: run benchmarks and print their tables."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable

from tests.benchmarks import (
    append,
    batch,
    consumer,
    delay,
    entity,
    entity_batch,
    growth,
    lists,
    memory,
    offsets,
    overload,
    processes,
    reads,
    relay,
    waiting,
)
from tests.benchmarks.measure import say

LONG = ("lists", "growth", "waiting", "memory")  # minutes: only where they are named


def main() -> None:
    """Run what was asked for, all but the long ones by default."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each; the median counts (default 3)")
    parser.add_argument("--requests", type=int, default=20_000, help="requests of a round (default 20000)")
    parser.add_argument(
        "--events",
        type=int,
        default=200_000,
        help="events that the relay drains and readers read (default 200000)",
    )
    parser.add_argument("--largest", type=int, default=1_000_000, help="events that a log grows to (default 1000000)")
    parser.add_argument("--megabytes", type=int, default=1000, help="of a body without an end (default 1000)")
    parser.add_argument(
        "which",
        nargs="*",
        help="append batch reads processes overload offsets relay consumer delay entity entities"
        " lists growth waiting memory",
    )
    given = parser.parse_args()
    runs: dict[str, Callable[[], None]] = {
        "append": lambda: append.run(given.rounds, given.requests),
        "batch": lambda: batch.run(given.rounds, given.requests),
        "reads": lambda: reads.run(given.rounds, given.events),
        "processes": lambda: processes.run(given.rounds, given.requests),
        "overload": lambda: overload.run(given.rounds, given.requests),
        "offsets": lambda: offsets.run(given.rounds, given.requests),
        "relay": lambda: relay.run(given.rounds, given.events),
        "consumer": lambda: consumer.run(given.rounds, given.events),
        "delay": lambda: delay.run(given.rounds, given.requests // 20),
        "entity": lambda: entity.run(given.rounds, given.requests // 2),
        "entities": lambda: entity_batch.run(given.rounds, given.requests),
        "lists": lambda: lists.run(given.rounds, given.requests, given.largest),
        "growth": lambda: growth.run(given.rounds, given.requests, given.largest),
        "waiting": lambda: waiting.run(given.rounds),
        "memory": lambda: memory.run(given.megabytes),
    }
    if unknown := set(given.which) - set(runs):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(runs)}")
    say(f"{os.cpu_count()} cores, shared by server, load, database and broker; medians of {given.rounds} rounds")
    for name in given.which or [name for name in runs if name not in LONG]:
        say(f"\n## {name}")
        runs[name]()


if __name__ == "__main__":
    main()
