"""`python -m tests.benchmarks [NAME …]`: run benchmarks and print their tables."""

from __future__ import annotations

import argparse
import os

from tests.benchmarks import append, batch, entity, relay
from tests.benchmarks.measure import say

ALL = ["append", "batch", "relay", "entity"]


def main() -> None:
    """Run what was asked for, all by default."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("which", nargs="*", choices=[*ALL, []], help="default: all")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each; the median counts (default 3)")
    parser.add_argument("--requests", type=int, default=20_000, help="requests of a round (default 20000)")
    parser.add_argument(
        "--events", type=int, default=200_000, help="events the relay drains in a round (default 200000)"
    )
    arguments = parser.parse_args()
    which = arguments.which or ALL
    say(f"{os.cpu_count()} cores, shared by server, load, database and broker; medians of {arguments.rounds} rounds")
    if "append" in which:
        say("\n## append")
        append.run(arguments.rounds, arguments.requests)
    if "batch" in which:
        say("\n## batch")
        batch.run(arguments.rounds, arguments.requests)
    if "relay" in which:
        say("\n## relay")
        relay.run(arguments.rounds, arguments.events)
    if "entity" in which:
        say("\n## entity")
        entity.run(arguments.rounds, arguments.requests // 2)


if __name__ == "__main__":
    main()
