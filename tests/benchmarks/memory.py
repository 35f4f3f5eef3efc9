"""Memory that the service takes for bodies of any size: appends as lines, the log read as lines, fast and slowly."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.filling import fill
from tests.benchmarks.measure import row, say, service
from tests.benchmarks.waiting import listener
from tests.services import config_for
from tests.stack import local_postgres, migrate

GOAL_MIB = 100
LINE_BYTES = 5000
READERS = 4
SLOW_BYTES_PER_S = 30_000_000
EVERY_S = 0.02
HEAD = (
    b"POST /v1/events/batch HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)


def run(megabytes: int) -> None:
    """`megabytes`: of the body that is sent; the log that is read has about a third of that."""
    with local_postgres() as postgres:
        migrate(postgres.url)
        say(row("memory", "MB", "s", "growth, MiB", ""))
        say("|---|---|---|---|---|")
        measured("one body of appends as lines", postgres.url, lambda port: send(port, megabytes * 1_000_000))
    with local_postgres() as postgres:
        migrate(postgres.url)
        events = megabytes * 700  # of some 500 bytes each
        fill(postgres.url, 1, events)
        measured("the log as lines", postgres.url, lambda port: read(port, events, 0))
        measured("by a slow reader", postgres.url, lambda port: read(port, events, SLOW_BYTES_PER_S))
        measured(f"by {READERS} at once", postgres.url, lambda port: at_once(port, events))
    say(f"goal: below {GOAL_MIB} MiB each")


def measured(name: str, url: str, work: Callable[[int], int]) -> None:
    """A row about a service of its own: how much it grows above what it had when it was ready."""
    with service("eventstore_svc", config_for(url), "eventstore_port") as port:
        pid = listener(port)
        first = resident_kib(pid)
        with sampled(pid) as most:
            started = time.perf_counter()
            total_bytes = work(port)
            seconds = time.perf_counter() - started
        growth = (max(most) - first) / 1024
    said = "" if growth < GOAL_MIB else "too much"
    say(row(name, f"{total_bytes / 1e6:.0f}", f"{seconds:.0f}", f"{growth:.0f}", said))


@contextmanager
def sampled(pid: int) -> Iterator[list[int]]:
    """What the process has resident in KiB, looked at all the time."""
    found, ended = [resident_kib(pid)], threading.Event()

    def look() -> None:
        while not ended.wait(EVERY_S):
            found.append(resident_kib(pid))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield found
    finally:
        ended.set()
        looking.join()


def resident_kib(pid: int) -> int:
    """VmRSS, as the kernel has it now."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))


def send(port: int, total_bytes: int) -> int:
    """Appends of 5 kB, made while they are sent; every one of them must be answered 201."""
    event = {"originator": {"id": "u1"}, "event_type": "User.Created", "payload": {"text": "x" * LINE_BYTES}}
    line = json.dumps(event).encode() + b"\n"
    piece = b"%x\r\n%b\r\n" % (50 * len(line), 50 * line)
    pieces = total_bytes // (50 * len(line)) + 1
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(60)

        def write() -> None:
            connection.sendall(HEAD)
            for _ in range(pieces):
                connection.sendall(piece)
            connection.sendall(b"0\r\n\r\n")

        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(write)
            stored, _ = count(connection, b'"status":201')
            writing.result()
    assert stored == pieces * 50, f"{stored} of {pieces * 50} lines were stored"
    return pieces * 50 * len(line)


def read(port: int, events: int, bytes_per_s: int) -> int:
    """The whole log, as fast as it comes or slower (0: no limit); all of it must come."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(60)
        connection.sendall(b"GET /v1/log HTTP/1.1\r\nHost: x\r\nAccept: application/x-ndjson\r\n\r\n")
        found, size_bytes = count(connection, b'{"position":', bytes_per_s)
    assert found == events, f"{found} of {events} events came"
    return size_bytes


def at_once(port: int, events: int) -> int:
    """Several readers of all of it."""
    with ThreadPoolExecutor(READERS) as pool:
        return sum(pool.map(lambda _: read(port, events, 0), range(READERS)))


def count(connection: socket.socket, mark: bytes, bytes_per_s: int = 0) -> tuple[int, int]:
    """How often a mark comes in an answer, and the answer's bytes, up to its end."""
    found, rest, size, started = 0, b"", 0, time.perf_counter()
    while not rest.endswith(b"\r\n0\r\n\r\n"):
        data = connection.recv(1 << 18)
        assert data, "the answer broke off"
        size += len(data)
        text = rest + data
        found += text.count(mark)
        rest = text[-len(mark) + 1 :]
        if bytes_per_s:
            time.sleep(max(0.0, size / bytes_per_s - (time.perf_counter() - started)))
    return found, size
