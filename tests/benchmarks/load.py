"""A load generator that costs little beside the server under test: keep-alive clients on plain sockets.

`python -m tests.benchmarks.load PORT KIND REQUESTS CLIENTS` prints one JSON line: rate (1/s), p50_ms, p99_ms, failed.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import Callable, Iterator
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


def get_entity() -> bytes:
    """One entity out of a hundred."""
    return f"GET /v1/entities/User/user-{random.randrange(100)} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def create_entity() -> bytes:
    """A new entity."""
    head = "POST /v1/entities/User HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(PAYLOAD)}\r\n\r\n{PAYLOAD}".encode()


KINDS: dict[str, Callable[[], bytes]] = {
    "append": append_one,
    "append_hot": append_hot,
    "append10": append_ten,
    "lines": append_lines,
    "get": get_entity,
    "create": create_entity,
}


def _is_whole(head: bytes, body: bytes) -> bool:
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    return len(body) >= int(length) if length else body.endswith(b"\r\n0\r\n\r\n")


class Client(asyncio.Protocol):
    """Sends one request after the other on one connection, and times each."""

    def __init__(self, requests: Iterator[bytes], done: Callable[[float, bool], None]) -> None:
        self._requests = requests
        self._done = done
        self._buffer = b""
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
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator or not _is_whole(head, body):
            return
        self._buffer = b""
        self._done(time.perf_counter() - self._sent, head.startswith(b"HTTP/1.1 2"))
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
