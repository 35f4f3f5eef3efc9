"""`python -m tests.benchmarks.designs.layers FILE`: shares of the service's time by layer, from stacks of py-spy.

`py-spy record --subprocesses --native --format raw -o FILE -- .venv/bin/python -m tests.benchmarks append`
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from tests.benchmarks.measure import row, say

# The innermost frame that one of these words is in says the layer; the first row that fits counts.
LAYERS = (
    ("waiting for work", ("epoll_wait", "uv__io_poll")),
    ("batching: arrays, outcomes", ("store/batch.py", "store/arrays.py", "store/batcher.py")),
    ("libpq: send, read", ("statement_session.py", "store/appender.py", "psycopg")),
    (
        "JSON: decode, check",
        ("append_requests.py", "repeated_keys.py", "eskit/names.py", "eskit/ids.py", "bodies.py", "context.py"),
    ),
    ("answer", ("web/answers.py",)),
    ("metrics, access log, guard", ("guard.py", "access_log.py", "prometheus_client")),
    ("handler, store, futures", ("eventstore_svc",)),
    ("HTTP: parse, dispatch", ("aiohttp",)),
)


def main() -> None:
    """Read, count, tell."""
    counts: Counter[str] = Counter()
    others: Counter[str] = Counter()
    for line in Path(sys.argv[1]).read_text().splitlines():
        stack, _, number = line.rpartition(" ")
        first = stack.partition(";")[0]
        if "-m eventstore_svc" in first or not first.startswith("process "):
            counts[layer(stack.split(";"), others, int(number))] += int(number)
    total = sum(counts.values())
    say(row("layer", "share"))
    say("|---|---|")
    for name, samples in counts.most_common():
        say(row(name, f"{100 * samples / total:.0f} %"))
    say(f"{total} samples; elsewhere: {others.most_common(8)}")


def layer(frames: list[str], others: Counter[str], number: int) -> str:
    """Of one stack."""
    for frame in reversed(frames):
        for name, words in LAYERS:
            if any(word in frame for word in words):
                return name
    others[frames[-1]] += number
    return "event loop and the rest"


if __name__ == "__main__":
    main()
