"""Each index of the log: what its queries cost with it and without, how large it is, what it costs an append."""

from __future__ import annotations

import json
from typing import Any

import psycopg

from infra.local.postgres import PostgresServer
from tests.benchmarks.designs.logs import Log, batch_of, compare, connected, copied, filled_server, report
from tests.benchmarks.measure import row, say

CORRELATED = """"left"(correlation_of(metadata), 100) = "left"('{cause}', 100) COLLATE "C"
    AND correlation_of(metadata) <> event_id::text"""
QUERIES = {
    "head": "SELECT position, recorded_at FROM events ORDER BY position DESC LIMIT 1",
    "page of 1,000": "SELECT * FROM events WHERE position BETWEEN {middle} AND {middle} + 999"
    " ORDER BY position LIMIT 1000",
    "one position": "SELECT recorded_at FROM events WHERE position = {middle}",
    "stream of 10": "SELECT * FROM events WHERE entity_type = 'User' AND originator_id = '{stream}'"
    " ORDER BY version LIMIT 1000",
    "last version": "SELECT version FROM events WHERE entity_type = 'User' AND originator_id = '{stream}'"
    " ORDER BY version DESC LIMIT 1",
    "next stream": "SELECT entity_type, originator_id FROM events"
    " WHERE (entity_type, originator_id) > ('User', '{stream}')"
    " ORDER BY entity_type, originator_id, version LIMIT 1",
    "event by id": "SELECT * FROM events WHERE event_id = '{event_id}'",
    "100 ids": "SELECT event_id FROM events WHERE event_id = ANY ({ids})",
    "correlated": f"SELECT position FROM events WHERE {CORRELATED}",
}
# What serves them, and how to be without it.
SERVED = {
    "events_position": ("head", "page of 1,000", "one position"),
    "events_stream": ("stream of 10", "last version", "next stream"),
    "events_event_id": ("event by id", "100 ids"),
    "events_correlation": ("correlated",),
}
# Every variant is a copy of today's log; append_batch itself needs two of the indexes, so those are doubled instead.
VARIANTS = {
    "today": "",
    "without events_event_id": "ALTER TABLE events DROP CONSTRAINT events_event_id",
    "without events_correlation": "DROP INDEX events_correlation",
    # An event that correlates with itself is told by the text of its metadata, which the service writes in one way.
    "events_correlation, by text": """DROP INDEX events_correlation;
CREATE INDEX events_correlation ON events ("left"(correlation_of(metadata), 100) COLLATE "C", position)
    WHERE strpos(metadata, '"correlation_id":"' || event_id::text || '"') = 0""",
    "without the outbox's": "ALTER TABLE outbox DROP CONSTRAINT outbox_pkey",
    "events_position twice": "CREATE UNIQUE INDEX twice ON events (position)",
    "events_stream twice": "CREATE UNIQUE INDEX twice ON events (entity_type, originator_id, version)",
    "and (recorded_at, position)": "CREATE INDEX more ON events (recorded_at, position)",
    "and recorded_at, BRIN": "CREATE INDEX more ON events USING brin (recorded_at)",
    "and (type, action, position)": "CREATE INDEX more ON events (entity_type, action, position)",
}
SIZES = """
SELECT indexrelname, pg_relation_size(indexrelid)::float8 / (SELECT max(position) FROM events)
  FROM pg_stat_user_indexes WHERE relname = 'events'"""

OUTBOX = """
SELECT pg_relation_size('events_correlation'), pg_relation_size('outbox')::float8 / count(*),
       pg_relation_size('outbox_pkey')::float8 / count(*) FROM outbox"""


def run(rounds: int, events: int) -> None:
    """All of it, on one server."""
    with filled_server(events) as server:
        urls = {name: copied(server, f"v{n}", changes) for n, (name, changes) in enumerate(VARIANTS.items())}
        say("\nbytes an event:")
        for name, url in urls.items():
            with connected(url) as owner:
                if name in {"today", "events_stream twice"} or name.startswith("and "):
                    say(f"  {name}: " + ", ".join(f"{index} {each:.1f}" for index, each in owner.execute(SIZES)))
        logs = {name: Log(url) for name, url in urls.items()}
        for size, batches in ((64, 40), (1000, 6)):
            report(f"append, {size} events a batch", compare(logs, size, rounds, batches))
        two = {name: logs[name] for name in ("today", "without events_correlation", "events_correlation, by text")}
        caused = dict.fromkeys(two, batch_of(caused=True))
        report("append, 64 events caused by others", compare(two, 64, rounds, 40, caused))
        found = logs["today"].connection.execute(OUTBOX).fetchone()
        assert found is not None
        say(f"events_correlation: {found[0] / (64 * rounds * 40):.1f} bytes for each event that another one caused")
        say(f"outbox {found[1]:.1f} bytes a row, outbox_pkey {found[2]:.1f}")
        growing = dict.fromkeys(("ids at random", "ids that grow"), logs["today"])
        make = {"ids that grow": batch_of(growing=True)}
        report("append, 64 new streams a batch", compare(growing, 64, rounds, 40, make))
        plans(server, events)
        absent(urls, events)


def plans(server: PostgresServer, events: int) -> None:
    """The queries on a log with all indexes, and on one without theirs."""
    url = copied(server, "plans")
    with connected(url) as owner:
        values = known(owner, events)
        has = {name: explained(owner, query.format(**values), text=True) for name, query in QUERIES.items()}
        lines = [
            row("query", "index", "ms", "pages", "ms without", "pages without", "ratio"),
            "|---|---|---|---|---|---|---|",
        ]
        for index, names in SERVED.items():
            owner.execute("BEGIN")
            constraint = index != "events_correlation"
            owner.execute(f"ALTER TABLE events DROP CONSTRAINT {index}" if constraint else f"DROP INDEX {index}")
            for name in names:
                ms, pages = explained(owner, QUERIES[name].format(**values))
                mine = has[name]
                lines.append(row(name, index, f"{mine[0]:.3f}", mine[1], f"{ms:.1f}", pages, f"{ms / mine[0]:.0f}"))
            owner.execute("ROLLBACK")
    for line in lines:
        say(line)


def known(owner: psycopg.Connection, events: int) -> dict[str, Any]:
    """Values for the queries; ten events in the middle that another one caused, too."""
    middle = events // 2
    found = owner.execute("SELECT originator_id, event_id FROM events WHERE position = %s", (middle,)).fetchone()
    assert found is not None
    ids = f"ARRAY(SELECT event_id FROM events WHERE position BETWEEN {middle} AND {middle} + 99)"
    owner.execute("ALTER TABLE events DISABLE TRIGGER events_never_change")
    owner.execute("UPDATE events SET metadata = format('{\"correlation_id\":\"%%s\"}', %s::text)"
                  " WHERE position BETWEEN %s AND %s + 9", (found[1], middle + 100, middle + 100))  # fmt: skip
    owner.execute("VACUUM ANALYZE events")
    return {"middle": middle, "stream": found[0], "event_id": found[1], "cause": found[1], "ids": ids}


def explained(owner: psycopg.Connection, query: str, *, text: bool = False) -> tuple[float, int]:
    """Milliseconds (the best of five) and pages of one query; its plan is told too if wanted."""
    best, pages = float("inf"), 0
    for _ in range(5):
        found = owner.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT json) {query}").fetchone()
        assert found is not None
        plan = found[0][0] if isinstance(found[0], list) else json.loads(found[0])[0]
        best = min(best, plan["Execution Time"])
        pages = plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]
    if text:
        say(f"\n{query}")
        for (line,) in owner.execute(f"EXPLAIN (ANALYZE, BUFFERS, COSTS off) {query}"):
            say(f"  {line}")
    return best, pages


def absent(urls: dict[str, str], events: int) -> None:
    """Queries that one might want other indexes for: without them, and with."""
    moment = f"'2026-01-01T00:00:00Z'::timestamptz + {events // 2} * interval '1 millisecond'"
    rare = (f"SELECT * FROM events WHERE position BETWEEN {events // 2} AND {events // 2 + 99_999}"
            " AND entity_type = 'User' AND action = 'Rare' ORDER BY position LIMIT 1000")  # fmt: skip
    last = f"SELECT position FROM events WHERE recorded_at <= {moment} ORDER BY recorded_at DESC, position DESC LIMIT 1"
    for name, query in (
        ("today", f"SELECT position_at({moment})"),
        ("and (recorded_at, position)", last),
        ("and recorded_at, BRIN", last),
        ("today", rare),
        ("and (type, action, position)", rare),
    ):
        with connected(urls[name]) as owner:
            ms, pages = explained(owner, query)
        say(row(name, query[:60], f"{ms:.3f} ms", f"{pages} pages"))
