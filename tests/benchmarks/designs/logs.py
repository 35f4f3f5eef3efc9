"""Logs to compare: each a database of its own on one server, and a session that appends to it with nothing between."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg import pq, sql

from eskit.ids import uuid7
from eskit.names import event_type
from eskit.postgres.statements import statement
from eventstore_svc.store import NewEvent
from eventstore_svc.store.batch import PARAMETERS, parameters
from infra.local.postgres import PostgresServer
from tests.benchmarks.filling import fill
from tests.benchmarks.load import PAYLOAD
from tests.benchmarks.measure import row, say
from tests.stack import migrate, scratch

APPEND = statement("eventstore_svc", "append").encode()
# All logs of a comparison fit into memory, and no checkpoint comes in between: it would hit one of them.
SETTINGS = {"shared_buffers": "2GB", "max_wal_size": "16GB", "checkpoint_timeout": "1h", "autovacuum": "off"}

_payload = PAYLOAD.encode()


@contextmanager
def filled_server(events: int, **settings: str) -> Iterator[PostgresServer]:
    """A server with a database `filled` that has a log of so many events."""
    with scratch() as folder:
        server = PostgresServer(folder / "postgres", settings=SETTINGS | settings)
        server.start()
        try:
            url = server.ensure_database("filled")
            migrate(url)
            if events:
                say(f"  filling with {events:,} events")
                fill(url, 1, events)
            yield server
        finally:
            server.stop("immediate")


def copied(server: PostgresServer, name: str, changes: str = "") -> str:
    """The URL of a copy of `filled` with some changes."""
    copy = sql.SQL("CREATE DATABASE {} TEMPLATE filled STRATEGY file_copy").format(sql.Identifier(name))
    with psycopg.connect(server.url, autocommit=True) as owner:
        owner.execute(copy)
    url = server.url_of(name)
    if changes:
        with connected(url) as owner:
            owner.execute(changes)
            owner.execute("ANALYZE")
    return url


def connected(url: str) -> psycopg.Connection:
    """A session in the log's schema."""
    return psycopg.connect(url, options="-c search_path=eventstore,pg_temp -c jit=off", autocommit=True)


def events_for(
    count: int,
    *,
    kind: str = "User.Created",
    caused: bool = False,
    given: bool = False,
    growing: bool = False,
) -> list[NewEvent]:
    """Events on streams of their own, whose ids fall among those of the filled log, or behind them (`growing`).

    `caused`: each by another event; `given`: their ids may be in the log.
    """
    found = []
    for _ in range(count):
        ident = uuid7()
        metadata = b'{"correlation_id":"%s"}' % str(uuid7() if caused else ident).encode()
        found.append(NewEvent(event_id=ident, id_is_given=given, type=event_type(kind),
                              originator_id=f"t{uuid7().hex}" if growing else f"s{random.getrandbits(128):032x}",
                              payload=_payload, metadata=metadata))  # fmt: skip
    return found


class Log:
    """A session with `append_batch` prepared."""

    def __init__(self, url: str, text: bytes = APPEND, count: int = PARAMETERS) -> None:
        """`text`: the statement that appends, with `count` parameters."""
        self.connection = connected(url)
        self._pgconn = self.connection.pgconn
        self._pgconn.prepare(b"append", text)
        self._binary = [pq.Format.BINARY] * count
        self._schedstat = Path(f"/proc/{self.connection.info.backend_pid}/schedstat")

    def execute(self, values: Sequence[bytes]) -> float:
        """Seconds of one batch."""
        started = time.perf_counter()
        result = self._pgconn.exec_prepared(b"append", values, self._binary, pq.Format.BINARY)
        seconds = time.perf_counter() - started
        assert result.status == pq.ExecStatus.TUPLES_OK, result.error_message
        return seconds

    def cpu_s(self) -> float:
        """Seconds that the server process has worked; 0 where the system does not tell."""
        return int(self._schedstat.read_text().split()[0]) / 1e9 if self._schedstat.exists() else 0.0

    def wal_bytes(self) -> int:
        """How far the write-ahead log has come."""
        found = self.connection.execute("SELECT pg_current_wal_insert_lsn() - '0/0'").fetchone()
        assert found is not None
        return int(found[0])


class Cost(NamedTuple):
    """Of one event in one round."""

    wall_us: float
    cpu_us: float
    wal_bytes: float


Make = Callable[[int], Sequence[bytes]]


def batch_of(**options: object) -> Make:
    """Makes the parameters of batches whose appends have one event each."""
    return lambda size: parameters([[event] for event in events_for(size, **options)])  # type: ignore[arg-type]


def compare(
    logs: Mapping[str, Log], size: int, rounds: int, batches: int, make: Mapping[str, Make] | None = None
) -> dict[str, list[Cost]]:
    """Rounds of batches, every log in every round, each time another one first."""
    usual = batch_of()
    found: dict[str, list[Cost]] = {name: [] for name in logs}
    names = list(logs)
    # A page's first change after a checkpoint writes all of the page to the write-ahead log: in every log alike then.
    logs[names[0]].connection.execute("CHECKPOINT")
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            log, maker = logs[name], (make or {}).get(name, usual)
            values = [maker(size) for _ in range(batches)]
            cpu, wal = log.cpu_s(), log.wal_bytes()
            times = [log.execute(each) for each in values]
            total = size * batches
            found[name].append(Cost(1e6 * statistics.median(times) / size, 1e6 * (log.cpu_s() - cpu) / total,
                                    (log.wal_bytes() - wal) / total))  # fmt: skip
    return found


def report(title: str, found: Mapping[str, Sequence[Cost]]) -> None:
    """Medians, and the median of each round's ratio to the first log in that round."""
    base = next(iter(found.values()))
    say("\n" + row(title, "µs an event", "ratio", "server CPU µs", "ratio", "WAL bytes"))
    say("|---|---|---|---|---|---|")
    for name, costs in found.items():
        wall, cpu, wal = (statistics.median(values) for values in zip(*costs, strict=True))
        slower = statistics.median(mine.wall_us / its.wall_us for mine, its in zip(costs, base, strict=True))
        dearer = statistics.median(mine.cpu_us / (its.cpu_us or 1) for mine, its in zip(costs, base, strict=True))
        say(row(name, f"{wall:.1f}", f"{slower:.2f}", f"{cpu:.1f}", f"{dearer:.2f}", f"{wal:.0f}"))
    walls = sorted(cost.wall_us for cost in base)
    low, high = walls[len(walls) // 10], walls[-1 - len(walls) // 10]
    say(f"noise: nine tenths of the first line's rounds within {low:.1f} and {high:.1f} µs an event")
