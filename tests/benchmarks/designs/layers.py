"""`python -m tests.benchmarks.designs.layers FILE`: the service's working time by layer, from stacks that py-spy took.

`py-spy record --subprocesses --format raw -o FILE -- .venv/bin/python -m tests.benchmarks append`
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from tests.benchmarks.measure import row, say

SERVICE = '-m eventstore_svc"'
LOOP = "Runner.run (asyncio"
# Whatever of these is nearest to where the program was counts; of two that fit the same frame, the first.
LAYERS = (
    ("notices", ("store/notices.py",)),
    ("batching: arrays, futures, outcomes", ("store/batch.py", "store/arrays.py", "store/batcher.py")),
    ("libpq: send, receive", ("statement_session.py", "store/appender.py")),
    ("JSON and checks", ("append_requests.py", "repeated_keys.py", "eskit/names.py", "eskit/ids.py", "bodies.py:57")),
    ("answer: make, write to the socket", ("web/answers.py", "bodies.py:78", "api/append.py:46", "api/append.py:51")),
    ("metrics, access log, guard", ("guard.py", "access_log.py", "prometheus_client", "web/context.py")),
    ("handler and store", ("eventstore_svc/api", "store/event_store.py")),
    ("HTTP: read, parse, dispatch", ("aiohttp", "web/server.py", "web/bodies.py")),
)


def main() -> None:
    """Read, count, tell."""
    counts: Counter[str] = Counter()
    for line in Path(sys.argv[1]).read_text().splitlines():
        stack, _, number = line.rpartition(" ")
        _, found, inside = stack.partition(LOOP)
        if SERVICE in stack and found:  # the rest is its start
            counts[layer(inside.split(";")[1:])] += int(number)
    total = sum(counts.values())
    say(row("layer", "share"))
    say("|---|---|")
    for name, samples in counts.most_common():
        say(row(name, f"{100 * samples / total:.0f} %"))
    say(f"{total} samples")


def layer(frames: list[str]) -> str:
    """Of one stack, from outside to inside."""
    for frame in reversed(frames):
        for name, words in LAYERS:
            if any(word in frame for word in words):
                return name
    return "event loop: sockets, callbacks"


if __name__ == "__main__":
    main()
