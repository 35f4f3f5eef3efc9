"""The same reads on several designs of the log, through the driver, prepared, in turn."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping

import psycopg

from tests.benchmarks.designs.logs import connected
from tests.benchmarks.measure import row, say

Queries = Mapping[str, str]

TODAY: Queries = {
    "page of 1,000": "SELECT * FROM events WHERE position BETWEEN {middle} AND {middle} + 999"
    " ORDER BY position LIMIT 1000",
    "stream of 10": "SELECT * FROM events WHERE entity_type = '{kind}' AND originator_id = '{stream}'"
    " ORDER BY version LIMIT 1000",
    "stream of 1,000": "SELECT * FROM events WHERE entity_type = '{kind}' AND originator_id = 'long'"
    " ORDER BY version LIMIT 1000",
    "event by id": "SELECT * FROM events WHERE event_id = '{event_id}'",
    "head": "SELECT position, recorded_at FROM events ORDER BY position DESC LIMIT 1",
    "correlated": "SELECT position FROM events"
    ' WHERE "left"(correlation_of(metadata), 100) = "left"(\'none\', 100) COLLATE "C"'
    " AND correlation_of(metadata) <> event_id::text",
}
SIZE = """
SELECT relname, pg_relation_size(oid)::float8 / (SELECT max(position) FROM events) FROM pg_class
 WHERE relnamespace = 'eventstore'::regnamespace AND relkind IN ('r', 'i') AND pg_relation_size(oid) > 100000
   AND relname NOT LIKE 'old%' AND relname NOT LIKE 'outbox%' ORDER BY 1"""


def compare_reads(designs: Mapping[str, tuple[str, Queries]], values: Mapping[str, object], rounds: int) -> None:
    """A table: microseconds of each query on each design (its URL and how it asks), the first one is the base."""
    sessions = {name: connected(url) for name, (url, _) in designs.items()}
    found: dict[str, dict[str, list[float]]] = {query: {name: [] for name in designs} for query in TODAY}
    for _ in range(rounds):
        for query, times in found.items():
            for name, (_, queries) in designs.items():
                times[name].append(_median(sessions[name], queries[query].format(**values)))
    say("\n" + row("read, µs", *designs))
    say("|---" * (len(designs) + 1) + "|")
    base = next(iter(designs))
    for query, times in found.items():
        cells = []
        for mine in times.values():
            ratio = statistics.median(a / b for a, b in zip(mine, times[base], strict=True))
            cells.append(f"{1e6 * statistics.median(mine):.0f} ({ratio:.2f})")
        say(row(query, *cells))
    for session in sessions.values():
        session.close()


def _median(session: psycopg.Connection, query: str, count: int = 30) -> float:
    cursor = session.cursor(binary=True)
    times = []
    for _ in range(count):
        started = time.perf_counter()
        cursor.execute(query, prepare=True).fetchall()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def tell_sizes(name: str, url: str) -> float:
    """Bytes an event of the log and all beside it (partitions are put together); the outbox is left out."""
    parts: dict[str, float] = {}
    with connected(url) as owner:
        for relation, each in owner.execute(SIZE):
            kind = "".join(letter for letter in relation if not letter.isdigit())
            parts[kind] = parts.get(kind, 0) + each
    total = sum(parts.values())
    say(f"  {name}: {total:.0f} bytes an event: " + ", ".join(f"{part} {each:.0f}" for part, each in parts.items()))
    return total


def values_of(url: str, events: int, kind: str = "User") -> dict[str, object]:
    """What the queries ask for: something in the middle."""
    with connected(url) as owner:
        query = "SELECT originator_id, event_id FROM events WHERE position = %s"
        found = owner.execute(query, (events // 2,)).fetchone()
    assert found is not None
    return {"middle": events // 2, "stream": found[0], "event_id": found[1], "kind": kind}


def redefine(url: str, *changes: tuple[str, str]) -> None:
    """Change the text of `append_batch`: each old part has to be there, once."""
    with connected(url) as owner:
        found = owner.execute("SELECT pg_get_functiondef('append_batch'::regproc)").fetchone()
        assert found is not None
        text = found[0]
        for old, new in changes:
            assert text.count(old) == 1, (text.count(old), old)
            text = text.replace(old, new)
        owner.execute(text)
