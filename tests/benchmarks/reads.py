"""Reading the log as lines against COPY, and streams against the bare query."""

from __future__ import annotations

import socket
import statistics
import time
from collections.abc import Callable

import psycopg

from tests.benchmarks.filling import fill, stream_name
from tests.benchmarks.measure import load, row, say, service
from tests.services import config_for
from tests.stack import local_postgres, migrate

COLUMNS = "position, event_id, entity_type, originator_id, version, action, payload, metadata, occurred_on, recorded_at"
REQUESTS = 400
RATES = {"read10": 10_000, "read1000": 600, "page": 600}  # kinds of load, and how many requests of each


def run(rounds: int, events: int) -> None:
    """Interleaved rounds."""
    with local_postgres() as postgres:
        migrate(postgres.url)
        say(f"  filling with {events:,} events")
        fill(postgres.url, 1, events)
        config = config_for(postgres.url)
        short = stream_name(postgres.url, events // 2)
        with service("eventstore_svc", config, "eventstore_port") as port:
            measured: dict[str, Callable[[], float]] = {
                "lines": lambda: events / lines(port),
                "copy": lambda: events / copy(postgres.url),
            }
            for name, count in (("long", 1000), (short, 10)):
                measured[f"stream of {count}"] = lambda name=name: stream(port, name)  # type: ignore[misc]
                measured[f"bare {count}"] = lambda name=name: bare(postgres.url, name)  # type: ignore[misc]
            for kind, requests in RATES.items():
                measured[kind] = lambda kind=kind, requests=requests: load(port, kind, requests)["rate"]  # type: ignore[misc]
            measured["trivial"] = lambda: load(port, "livez", REQUESTS, 1)["p50_ms"] / 1000
            found: dict[str, list[float]] = {name: [] for name in measured}
            for number in range(rounds):
                for name, measure in measured.items():
                    found[name].append(measure())
                say(f"  round {number + 1} of {rounds}")
    median = {name: statistics.median(values) for name, values in found.items()}
    say(row("read", "", "limit", "ratio"))
    say("|---|---|---|---|")
    ratio = median["lines"] / median["copy"]
    say(row("log as lines, events/s", f"{median['lines']:.0f}", f"{median['copy']:.0f} (COPY)", f"{ratio:.2f}"))
    for count in (10, 1000):
        ours, limit = median[f"stream of {count}"] * 1e6, median[f"bare {count}"] * 1e6
        say(row(f"stream of {count}, µs", f"{ours:.0f}", f"{limit:.0f} (bare query)", f"{ours / limit:.2f}"))
        limit += median["trivial"] * 1e6
        say(row("", "", f"{limit:.0f} (and a GET that does nothing)", f"{ours / limit:.2f}"))
    say("goals: lines at least 0.5 of COPY; streams at most 1.5 of the bare query\n")
    say(row("64 clients", "requests/s", "events/s"))
    say("|---|---|---|")
    for kind, (name, events_each) in {"read10": ("streams of 10", 10), "read1000": ("a stream of 1,000", 1000),
                                      "page": ("pages of the log, 1,000 events", 1000)}.items():  # fmt: skip
        say(row(name, f"{median[kind]:.0f}", f"{median[kind] * events_each:.0f}"))


def lines(port: int) -> float:
    """Seconds to read the whole log."""
    started = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"GET /v1/log HTTP/1.1\r\nHost: x\r\nAccept: application/x-ndjson\r\n\r\n")
        tail = b""
        while not tail.endswith(b"\r\n0\r\n\r\n"):
            piece = connection.recv(1 << 20)
            assert piece
            tail = (tail + piece)[-16:]
    return time.perf_counter() - started


def copy(url: str) -> float:
    """Seconds of COPY … TO STDOUT of the same columns, thrown away as they come."""
    started = time.perf_counter()
    with (
        psycopg.connect(url, options="-c search_path=eventstore") as connection,
        connection.cursor().copy(f"COPY (SELECT {COLUMNS} FROM events ORDER BY position) TO STDOUT") as out,
    ):
        for _ in out:
            pass
    return time.perf_counter() - started


def stream(port: int, name: str) -> float:
    """Median seconds of a stream over HTTP, one client."""
    request = f"GET /v1/streams/User/{name}/events HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", port)) as connection:

        def once() -> None:
            connection.sendall(request)
            head, _, body = connection.recv(1 << 20).partition(b"\r\n\r\n")
            left = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0]) - len(body)
            while left:
                left -= len(connection.recv(1 << 20))

        return _median(once)


def bare(url: str, name: str) -> float:
    """Median seconds of the same rows through the driver, binary, prepared."""
    with psycopg.connect(url, options="-c search_path=eventstore", autocommit=True) as connection:
        cursor = connection.cursor(binary=True)
        query = (
            f"SELECT {COLUMNS} FROM events WHERE entity_type = %s AND originator_id = %s ORDER BY version LIMIT 1000"
        )

        def once() -> None:
            assert cursor.execute(query, ("User", name), prepare=True).fetchall()

        return _median(once)


def _median(once: Callable[[], None]) -> float:
    times = []
    for _ in range(REQUESTS):
        started = time.perf_counter()
        once()
        times.append(time.perf_counter() - started)
    return statistics.median(times)
