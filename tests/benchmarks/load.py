"""A load generator that costs little beside the server under test: keep-alive clients on plain sockets.

`python -m tests.benchmarks.load PORT KIND REQUESTS CLIENTS` prints one JSON line: rate (1/s), p50_ms, p99_ms, failed.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import cast

import uvloop

PAYLOAD = (
    '{"email":"someone@example.com","first_name":"Some","last_name":"One","active":true,'
    '"workspaces":["alpha","beta","gamma"],"count":12345}'
)


def append_one() -> bytes:
    """One event on a stream of its own."""
    return _append(f'{{"originator":{{"id":"{random.random()}"}},"event_type":"User.Created","payload":{PAYLOAD}}}')


def append_hot() -> bytes:
    """One event on the one stream that everybody writes to."""
    return _append(f'{{"originator":{{"id":"hot"}},"event_type":"User.Changed","payload":{PAYLOAD}}}')


def append_ten() -> bytes:
    """Ten events in one atomic append."""
    event = '{{"originator":{{"id":"{}"}},"event_type":"User.Created","payload":{}}}'
    return _append('{"events":[' + ",".join(event.format(random.random(), PAYLOAD) for _ in range(10)) + "]}")


def append_lines() -> bytes:
    """A thousand independent appends, a line each."""
    event = '{{"originator":{{"id":"{}"}},"event_type":"User.Created","payload":{}}}\n'
    body = "".join(event.format(random.random(), PAYLOAD) for _ in range(1000))
    return _append(body, "/batch", "application/x-ndjson")


def _append(body: str, path: str = "", kind: str = "application/json") -> bytes:
    head = f"POST /v1/events{path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return (head + body).encode()


def read_ten() -> bytes:
    """One of the streams of ten events that `filling` makes."""
    ident = hashlib.md5(str(random.randrange(200, 2000)).encode(), usedforsecurity=False).hexdigest()
    return f"GET /v1/streams/User/s{ident}/events HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def read_thousand() -> bytes:
    """The stream of a thousand events that it makes."""
    return b"GET /v1/streams/User/long/events HTTP/1.1\r\nHost: x\r\n\r\n"


def read_page() -> bytes:
    """A page of the log, as large as pages get."""
    return f"GET /v1/log?limit=1000&from={random.randrange(1, 19_000)} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def get_head() -> bytes:
    """The least that a GET can be."""
    return b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"


def get_entity() -> bytes:
    """One entity out of a hundred."""
    return f"GET /v1/entities/User/user-{random.randrange(100)} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def get_old() -> bytes:
    """The entity with ten thousand versions."""
    return b"GET /v1/entities/User/old HTTP/1.1\r\nHost: x\r\n\r\n"


def patch_entity() -> bytes:
    """A merge patch of one of a thousand documents of 2 KB."""
    body = f'{{"count":{random.randrange(1_000_000)},"address":{{"city":"Bern {random.randrange(1000)}"}}}}'
    head = f"PATCH /v1/entities/Large/large-{random.randrange(1000)} HTTP/1.1\r\nHost: x\r\nIf-Match: *\r\n"
    return f"{head}Content-Type: application/merge-patch+json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


def list_entities() -> bytes:
    """The first ten of a million."""
    return b"GET /v1/entities/User?limit=10 HTTP/1.1\r\nHost: x\r\n\r\n"


def list_of_city() -> bytes:
    """The first ten of one city of a thousand."""
    return f"GET /v1/entities/User?filter.city=city-{random.randrange(1000)} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def create_entity() -> bytes:
    """A new entity."""
    head = "POST /v1/entities/User HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(PAYLOAD)}\r\n\r\n{PAYLOAD}".encode()


# From the time on, so that each run of this program goes on above the last one.
_turns = count(int(time.time()) * 1_000_000)


def commit() -> bytes:
    """One offset of 1,000 consumers with 6 partitions each; no partition again before all others."""
    turn = next(_turns)
    body = f'{{"offset":{turn},"position":{turn}}}'
    path = f"/v1/consumers/c{turn // 6 % 1000:06d}/offsets/eskit.application-log/{turn % 6}"
    head = f"PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return (head + body).encode()


def consumers_page() -> bytes:
    """100 of 100,000 consumers, with their partitions."""
    return f"GET /v1/consumers?limit=100&after=c{random.randrange(99_000):06d} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


KINDS: dict[str, Callable[[], bytes]] = {
    "append": append_one,
    "append_hot": append_hot,
    "append10": append_ten,
    "lines": append_lines,
    "read10": read_ten,
    "read1000": read_thousand,
    "page": read_page,
    "livez": get_head,
    "get": get_entity,
    "list": list_entities,
    "list_city": list_of_city,
    "get_old": get_old,
    "create": create_entity,
    "patch": patch_entity,
    "commit": commit,
    "consumers": consumers_page,
}


def _is_whole(answer: bytearray, ending: int) -> bool:
    """Of an answer whose head ends there."""
    length = bytes(answer[:ending]).lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    return len(answer) >= ending + 4 + int(length) if length else answer.endswith(b"\r\n0\r\n\r\n")


class Client(asyncio.Protocol):
    """Sends one request after the other on one connection, and times each."""

    def __init__(self, requests: Iterator[bytes], done: Callable[[float, bool], None]) -> None:
        self._requests = requests
        self._done = done
        self._buffer = bytearray()
        self._sent = 0.0
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but its class
        self._next()

    def _next(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._transport.close()
            self.finished.set_result(None)
            return
        self._sent = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        ending = self._buffer.find(b"\r\n\r\n", 0, 65_536)
        if ending < 0 or not _is_whole(self._buffer, ending):
            return
        good = self._buffer.startswith(b"HTTP/1.1 2")
        self._buffer.clear()
        self._done(time.perf_counter() - self._sent, good)
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.finished.done():
            self.finished.set_exception(exc or ConnectionError("the server closed the connection"))


async def run(port: int, kind: str, requests: int, clients: int) -> dict[str, float]:
    """Send so many requests; rate and latencies."""
    ready = iter([KINDS[kind]() for _ in range(requests)])
    times: list[float] = []
    failed = 0

    def done(seconds: float, ok: bool) -> None:
        nonlocal failed
        times.append(seconds)
        failed += not ok

    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    made = [await loop.create_connection(lambda: Client(ready, done), "127.0.0.1", port) for _ in range(clients)]
    await asyncio.gather(*(client.finished for _, client in made))
    total = time.perf_counter() - started
    times.sort()
    p50_ms, p99_ms = (round(1000 * times[int(q * (len(times) - 1))], 2) for q in (0.5, 0.99))
    return {"rate": requests / total, "p50_ms": p50_ms, "p99_ms": p99_ms, "failed": failed}


if __name__ == "__main__":
    arguments = sys.argv[1:]
    result = uvloop.run(run(int(arguments[0]), arguments[1], int(arguments[2]), int(arguments[3])))
    sys.stdout.write(json.dumps(result) + "\n")
