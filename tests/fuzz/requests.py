"""Makes requests: good ones, good ones with something wrong, and noise. The same seed makes the same requests."""

from __future__ import annotations

import json
import random
from collections import deque
from typing import Any, NamedTuple
from urllib.parse import quote
from uuid import UUID

TEXTS = [
    *["", "a", "User", "ü", "\u2028", "\x00", "\ud800", "'; DROP TABLE events; --", "../../etc/passwd", "%", "%zz"],
    *[
        "null",
        "1e400",
        "0.05",
        "nan",
        "1e-9",
        "-1",
        "0",
        "9" * 30,
        "x" * 300,
        "{}",
        "[]",
        "<script>",
        "\r\nX: y",
        "😀" * 60,
        "true",
        "*",
    ],
    *["*.*", "User.*", "User.Created", "2026-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"],
    "0001-01-01T00:00:00+14:00",
]
VALUES: list[Any] = [
    *[None, True, 0, -1, 1, 2**31, 2**63, 2**64, 1e308, 0.1, "", "any", "none", "exists", [], {}, [[]], {"a": {}}]
]
FIELDS = (
    *("originator", "event_type", "payload", "metadata", "event_id", "occurred_on", "expected", "events", "appends"),
    "x",
)
PATHS = (
    *("/v1/events", "/v1/events/batch", "/v1/events/{id}", "/v1/streams", "/v1/streams/User/{id}", "/v1/log"),
    "/v1/log/head",
    *("/v1/streams/{id}/{id}/events", "/v1/streams/User/s1/events", "/livez", "/openapi.json", "/docs", "/", "/{id}"),
    *("/readyz", "/metrics", "/v1/log/tail"),
)
PARAMETERS = (
    *("from", "limit", "selector", "direction", "entity_type", "correlation_id", "event_id", "from_version"),
    *("to_version", "at", "position", "cursor", "wait", "x"),
)
METHODS = ("GET", "GET", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY")
HEADERS = (
    *("Content-Type", "Accept", "If-None-Match", "X-Request-Id", "Eskit-Correlation-Id", "Eskit-User", "traceparent"),
    *("Content-Encoding", "Last-Event-ID", "Expect", "Range", "Cookie"),
)


OLD = 300  # requests that may be sent again
MOST_BYTES = 60_000  # of the log as lines: then the reader leaves
Events = tuple[dict[str, Any], ...]


class Request(NamedTuple):
    """The bytes, and what is known of it."""

    data: bytes
    events: Events = ()  # of a good append: what is stored when the answer says so, and only then
    head_only: bool = False
    whole: bool = True  # it is a request, so an answer must come
    lines_from: int = 0  # the log as lines, all of it, from here


class Maker:
    """Makes one request after the other."""

    def __init__(self, seed: int) -> None:
        """`seed`: of everything."""
        self._random = random.Random(seed)
        self._old: deque[Events] = deque(maxlen=OLD)
        self._made = 0  # events of good appends, so the log may have about as many
        self._makers = {self._good: 22, self._again: 6, self._wrong_body: 22, self._batch: 14, self._read: 24,
                        self._follow: 5, self._flipped: 5, self._noise: 2}  # fmt: skip

    def next(self) -> Request:
        """Any of them."""
        (make,) = self._random.choices(list(self._makers), list(self._makers.values()))
        return make()

    def _noise(self) -> Request:
        return Request(self._random.randbytes(self._random.randint(1, 300)) + b"\r\n\r\n", whole=False)

    def _flipped(self) -> Request:
        return Request(self._flip(self._good().data), whole=False)

    def _event(self) -> dict[str, Any]:
        chance = self._random
        event: dict[str, Any] = {
            "originator": {"id": f"s{chance.randint(1, 50)}"},
            "event_type": chance.choice(["User.Created", "Order.Paid", "com.acme.Order.Paid"]),
            "payload": {"n": chance.randint(0, 9), "t": "x" * chance.randint(0, 50)},
            "event_id": str(UUID(int=chance.getrandbits(128), version=4)),
        }
        if chance.random() < 0.3:
            event["expected"] = chance.choice(["any", "none", "exists", 0, 3])
        if chance.random() < 0.15:
            event["originator"]["version"] = chance.choice([1, 2, 3, chance.randint(1, 500)])
        if chance.random() < 0.2:
            event["metadata"] = {"user": chance.choice(["a", "ü"]), "k": "v" * chance.randint(0, 9)}
        if chance.random() < 0.2:
            event["occurred_on"] = chance.choice(["2020-02-29T12:00:00Z", "1969-07-20T20:17:40.123456+05:30"])
        return event

    def _good(self) -> Request:
        count = 1 if self._random.random() < 0.8 else self._random.randint(1, 4)
        events = tuple(self._event() for _ in range(count))
        self._old.append(events)
        self._made += count
        return self._append(events)

    def _append(self, events: Events) -> Request:
        body = events[0] if len(events) == 1 else {"events": events}
        return Request(self._post("/v1/events", json.dumps(body).encode()), events)

    def _again(self) -> Request:
        """What was sent before, whatever became of it: whole, in part, or with other content."""
        if not self._old:
            return self._good()
        events = self._random.choice(self._old)
        if self._random.random() < 0.5:
            return self._append(events)
        if self._random.random() < 0.5:
            return self._append(events[: self._random.randint(1, len(events))])
        return self._append((events[0] | {"payload": {"other": self._random.randint(0, 9)}}, *events[1:]))

    def _follow(self) -> Request:
        """The log as lines, as pages that are waited for, and live; perhaps from a place that is not there yet."""
        chance = self._random
        first = chance.randint(1, self._made + 2)
        accept = b""
        kind = chance.randrange(3)
        if kind == 0:
            accept = b"Accept: application/x-ndjson\r\n"
            target = f"/v1/log?from={first}"
        elif kind == 1:
            target = f"/v1/log?from={first}&wait={chance.choice(['0.01', '0.1', '1e-3', '0.25'])}"
            target += chance.choice(["", "&selector=*.Paid", "&entity_type=Nothing", "&limit=1"])
        else:
            target = "/v1/log/tail" + chance.choice(["", f"?from={first}", f"?from={first}&selector=*.Paid"])
            accept = chance.choice([b"", f"Last-Event-ID: {first}\r\n".encode()])
        data = f"GET {target} HTTP/1.1\r\nHost: x\r\n".encode() + accept + b"\r\n"
        return Request(data, lines_from=first if kind == 0 else 0)

    def _spoiled(self) -> Any:
        chance = self._random
        event: Any = self._event() if chance.random() < 0.7 else {"events": [self._event(), self._event()]}
        for _ in range(chance.randint(1, 3)):
            target = chance.choice([event, event.get("originator", {}), event.get("payload", {})])
            if not isinstance(target, dict):
                continue
            key = chance.choice([*FIELDS, "id", "version", chance.choice(TEXTS)])
            if chance.random() < 0.3:
                target.pop(key, None)
            else:
                target[key] = chance.choice([*VALUES, *TEXTS, "x" * 9000])
        return event

    def _wrong_body(self) -> Request:
        body = json.dumps(self._spoiled(), ensure_ascii=self._random.random() < 0.5).encode("utf-8", "surrogatepass")
        if self._random.random() < 0.4:
            body = self._flip(body)
        if self._random.random() < 0.05:
            depth = self._random.randint(50, 3000)
            body = (
                b'{"originator":{"id":"deep"},"event_type":"A.B","payload":'
                + b'{"a":' * depth
                + b"1"
                + b"}" * depth
                + b"}"
            )
        return Request(self._post("/v1/events", body))

    def _batch(self) -> Request:
        entries = [
            self._spoiled() if self._random.random() < 0.4 else self._event() for _ in range(self._random.randint(0, 6))
        ]
        if self._random.random() < 0.5:
            body = json.dumps({"appends": entries}).encode("utf-8", "replace")
            return Request(self._post("/v1/events/batch", self._flip(body) if self._random.random() < 0.3 else body))
        body = b"\n".join(json.dumps(entry).encode() for entry in entries)
        body = self._flip(body) if self._random.random() < 0.3 else body
        return Request(self._post("/v1/events/batch", body, "application/x-ndjson"))

    def _read(self) -> Request:
        chance = self._random
        path = chance.choice(PATHS)
        while "{id}" in path:
            path = path.replace("{id}", quote(chance.choice(TEXTS).encode("utf-8", "surrogatepass"), safe=""), 1)
        pairs = [
            f"{chance.choice(PARAMETERS)}={quote(chance.choice(TEXTS).encode('utf-8', 'surrogatepass'), safe='')}"
            for _ in range(chance.choice([0, 1, 1, 2, 3]))
        ]
        lines = []
        for name in chance.sample(HEADERS, chance.choice([0, 0, 1, 2])):
            value = chance.choice(TEXTS).encode("utf-8", "surrogatepass").replace(b"\r\n", b" ")
            lines.append(name.encode() + b": " + value)
        method = chance.choice(METHODS)
        target = path + ("?" + "&".join(pairs) if pairs else "")
        head = [f"{method} {target} HTTP/1.1".encode(), b"Host: x", *lines, b"", b""]
        return Request(b"\r\n".join(head), head_only=method == "HEAD")

    def _flip(self, data: bytes) -> bytes:
        changed = bytearray(data)
        for _ in range(self._random.randint(1, 4)):
            if changed:
                changed[self._random.randrange(len(changed))] = self._random.randrange(256)
        return bytes(changed)

    def _post(self, path: str, body: bytes, kind: str = "application/json") -> bytes:
        return (
            f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
