"""What vacuum does to a table that only grows: today's settings, and freezing at once."""

from __future__ import annotations

import time

import psycopg

from tests.benchmarks.designs.logs import connected, filled_server
from tests.benchmarks.filling import FILL, LONG, STREAM
from tests.benchmarks.load import PAYLOAD
from tests.benchmarks.measure import row, say


def run(rounds: int, events: int) -> None:
    """Grow by so many events, vacuum, freeze later; then the same with freezing at once; then a tenth more."""
    assert rounds
    with filled_server(0) as server, connected(server.url_of("filled")) as owner:
        say(row("step", "s", "WAL bytes an event", "scanned pages of all"))
        say("|---|---|---|---|")
        _grow(owner, 1, events)
        _vacuum(owner, "vacuum of new events", "VACUUM (VERBOSE) events", events)
        _vacuum(owner, "vacuum again, nothing is new", "VACUUM (VERBOSE) events", events)
        _vacuum(owner, "freeze all of it, later", "VACUUM (VERBOSE, FREEZE) events", events)
        _grow(owner, events + 1, 2 * events)
        _vacuum(owner, "vacuum and freeze new events at once", "VACUUM (VERBOSE, FREEZE) events", events)
        _vacuum(owner, "freeze all of it, later", "VACUUM (VERBOSE, FREEZE) events", events)
        _grow(owner, 2 * events + 1, 2 * events + events // 10)
        _vacuum(owner, "the same for a tenth more", "VACUUM (VERBOSE, FREEZE) events", events // 10)
        _grow(owner, 2 * events + events // 10 + 1, 2 * events + events // 5, checkpoint=False)
        _vacuum(owner, "the same, before the next checkpoint", "VACUUM (VERBOSE, FREEZE) events", events // 10)


def _grow(owner: psycopg.Connection, first: int, last: int, *, checkpoint: bool = True) -> None:
    values = {"since": "2026-01-01T00:00:00Z", "long": LONG, "stream": STREAM, "payload": PAYLOAD}
    owner.execute(FILL, values | {"first": first, "last": last})
    if checkpoint:
        owner.execute("CHECKPOINT")


def _vacuum(owner: psycopg.Connection, name: str, text: str, events: int) -> None:
    lines: list[str] = []

    def keep(notice: psycopg.errors.Diagnostic) -> None:
        lines.extend((notice.message_primary or "").splitlines() + (notice.message_detail or "").splitlines())

    owner.add_notice_handler(keep)
    before, started = _wal_bytes(owner), time.perf_counter()
    owner.execute(text)
    seconds, wal = time.perf_counter() - started, _wal_bytes(owner) - before
    owner.remove_notice_handler(keep)
    pages = [line.partition("pages: ")[2] for line in lines if line.startswith("pages:")]
    say(row(name, f"{seconds:.2f}", f"{wal / events:.1f}", pages[0] if pages else lines[:2]))
    owner.execute("CHECKPOINT")


def _wal_bytes(owner: psycopg.Connection) -> int:
    found = owner.execute("SELECT pg_current_wal_insert_lsn() - '0/0'").fetchone()
    assert found is not None
    return int(found[0])
