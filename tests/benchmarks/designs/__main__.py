"""`python -m tests.benchmarks.designs NAME …`: compare designs and print tables."""

from __future__ import annotations

import argparse
from importlib import import_module

from tests.benchmarks.measure import say

NAMES = ("indexes", "partitions", "types", "ways", "pipelines", "served", "statements", "attach", "vacuum")


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.designs", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="rounds of each; the median counts (default 20)")
    parser.add_argument("--events", type=int, default=1_000_000, help="events in the logs (default 1000000)")
    parser.add_argument("which", nargs="+", choices=NAMES)
    given = parser.parse_args()
    for name in given.which:
        say(f"\n## {name}")
        import_module(f"tests.benchmarks.designs.{name}").run(given.rounds, given.events)


if __name__ == "__main__":
    main()
