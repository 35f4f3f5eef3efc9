"""What the statements inside `append_batch` cost: PostgreSQL's own count under load, and their plans."""

from __future__ import annotations

import psycopg

from eventstore_svc.store.batch import parameters
from tests.benchmarks.designs.logs import Log, events_for, filled_server
from tests.benchmarks.measure import load, row, say, service
from tests.services import config_for

COUNTED = """
SELECT calls, rows, total_exec_time * 1000 / calls, shared_blks_hit / calls, wal_bytes / calls, toplevel,
       left(regexp_replace(query, '\\s+', ' ', 'g'), 90)
  FROM pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE datname = 'filled')
 ORDER BY total_exec_time DESC LIMIT 9"""
EXPLAIN = """
LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on;
SET auto_explain.log_analyze = on; SET auto_explain.log_buffers = on; SET auto_explain.log_wal = on;
SET auto_explain.log_level = 'notice'"""


def run(rounds: int, events: int) -> None:
    """Requests of 64 clients, then one batch of 64."""
    preload = {"shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.track": "all"}
    with filled_server(events, **preload) as server:
        url = server.url_of("filled")
        with psycopg.connect(url, autocommit=True) as owner:
            owner.execute("CREATE EXTENSION pg_stat_statements")
        with service("eventstore_svc", config_for(url), "eventstore_port") as port:
            load(port, "append", 2000)
            with psycopg.connect(url, autocommit=True) as owner:
                owner.execute("SELECT pg_stat_statements_reset()")
                load(port, "append", 1000 * rounds)
                say(
                    "\n"
                    + row(
                        "statement",
                        "calls",
                        "rows a call",
                        "µs a call",
                        "pages a call",
                        "WAL bytes a call",
                        "top level",
                    )
                )
                say("|---|---|---|---|---|---|---|")
                for calls, rows, each_us, pages, wal, top, text in owner.execute(COUNTED):
                    say(row(text, calls, f"{rows / calls:.1f}", f"{each_us:.0f}", pages, f"{wal:.0f}", top))
        _plans(url)


def _plans(url: str) -> None:
    log = Log(url)
    batches = [parameters([[event] for event in events_for(64)]) for _ in range(20)]
    for batch in batches:
        log.execute(batch)
    log.connection.execute(EXPLAIN)
    log.connection.add_notice_handler(lambda notice: say(f"\n{notice.message_primary}"))
    log.execute(parameters([[event] for event in events_for(64)]))
