"""Makes requests to the CRUD service: good ones, good ones with something wrong, and noise."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from tests.fuzz.requests import TEXTS, VALUES, Maker, Request

IDS = [*(f"e{n}" for n in range(40)), "ü/b", "%", ".x", "{id}"]
TYPES = ["User", "User", "User", "com.acme.Org", "Typed"]
KEYS = ["a", "b", "a/b", "~", "", "ä", "0", "-", "\x00", '"']
NUMBERS = ["1", "1.0", "-0", "1e0", "0.10", "12345678901234567890", "1e308", "1e400", "9" * 4301, "NaN", "01"]
POINTERS = ["", "/", "/a", "/b/0", "/a/-", "/a~1b", "/~0", "/a/a/a", "/~2", "a", "/b/01", "/b/" + "9" * 400]
OPS = ["add", "add", "remove", "replace", "move", "copy", "copy", "test", "append", None]
MATCHES = ["*", "*", "*", '"1"', '"2"', '"1", "2", "3"', 'W/"1"', "1", "", '"', '"ä"', '"1",', "*, *"]
KINDS = ["application/json", "application/merge-patch+json", "application/json-patch+json", "application/x-ndjson",
         "text/plain", ""]  # fmt: skip
METHODS = ("GET", "GET", "PUT", "PATCH", "DELETE", "POST", "HEAD", "OPTIONS", "QUERY")
RESTS = ("", "", "/history", "/blame", "/diff", "/restore", "/nothing")
PLACES = (
    *("/v1/entities/User", "/v1/entities/com.acme.Org", "/v1/entities:batch", "/v1/types", "/v1/types/Typed"),
    *("/v1/types/Typed:check", "/v1/types/User/indexes", "/openapi.json", "/readyz", "/metrics", "/v1/entities/"),
)
QUERIES = (
    *("version", "at", "position", "deleted", "from", "to", "format", "field", "limit", "direction", "from_version"),
    *("cursor", "sort", "filter.a", "filter.b.in", "count", "fields", "skip_payload", "atomic", "x"),
)
ODD = [
    "Idempotency-Key",
    "Eskit-Metadata",
    "Eskit-Occurred-On",
    "Eskit-User",
    "Prefer",
    "traceparent",
    "Content-Encoding",
]
SCHEMAS: list[Any] = [{}, True, {"type": "object", "required": ["a"]}, {"$ref": "file:///etc/passwd"}, {"type": 5}]


class CrudMaker(Maker):
    """Makes one request after the other; the same seed makes the same requests."""

    def __init__(self, seed: int) -> None:
        """`seed`: of everything."""
        super().__init__(seed)
        self._makers = {self._write: 40, self._ask: 25, self._elsewhere: 12, self._flipped_write: 6, self._noise: 2}

    def _write(self) -> Request:
        """A write as it should be; in one of four something is odd."""
        chance = self._random
        method, kind, body = chance.choice(
            [
                ("PUT", KINDS[0], self._json(self._document())),
                ("POST", KINDS[0], self._json(self._document())),
                ("PATCH", KINDS[1], self._json(self._document())),
                ("PATCH", KINDS[2], self._json(self._patch())),
                ("DELETE", "", b""),
            ]
        )
        headers = [("If-Match", chance.choice(MATCHES[:6]))] if method != "POST" else []
        if method == "PUT" and chance.random() < 0.4:
            headers = [("If-None-Match", "*")]
        if chance.random() < 0.3:
            headers.append(("Idempotency-Key", f"k{chance.randint(0, 300)}"))
        if chance.random() < 0.25:
            headers.append((chance.choice([*ODD, "If-Match", "If-None-Match"]), chance.choice([*TEXTS, *MATCHES])))
            kind = chance.choice(KINDS)
            body = self._flip(body) if chance.random() < 0.3 else body
        rest = "/restore" if method == "POST" and chance.random() < 0.4 else ""
        return self._request(method, self._entity() + rest, headers, kind, body)

    def _flipped_write(self) -> Request:
        return Request(self._flip(self._write().data), whole=False)

    def _ask(self) -> Request:
        chance = self._random
        target = self._entity() + chance.choice(RESTS) + self._query()
        headers = (
            [(chance.choice(["If-None-Match", "If-Match"]), chance.choice(MATCHES))] if chance.random() < 0.3 else []
        )
        return self._request(chance.choice(METHODS), target, headers, "", b"")

    def _elsewhere(self) -> Request:
        """Lists, types, batches, and what every service has."""
        chance = self._random
        schema = {"schema": chance.choice(SCHEMAS), "compatibility": chance.choice(["none", "full", None])}
        line = {"op": chance.choice(["create", "put", "delete", "merge_patch", "x"]), "type": "User",
                "id": chance.choice(IDS), "if_match": chance.choice(["*", '"1"', 1]), "document": self._document(),
                "patch": self._patch()}  # fmt: skip
        body = self._json(chance.choice([schema, line, self._document()]))
        kind = chance.choice(KINDS)
        # Not HEAD: of a list without its view that is a 503 without words, as of a service that is broken.
        methods = [method for method in METHODS if method != "HEAD"]
        return self._request(chance.choice(methods), chance.choice(PLACES) + self._query(), [], kind, body)

    def _entity(self) -> str:
        chance = self._random
        ident = chance.choice(IDS) if chance.random() < 0.9 else chance.choice(TEXTS)
        return f"/v1/entities/{chance.choice(TYPES)}/{quote(ident.encode('utf-8', 'surrogatepass'), safe='')}"

    def _query(self) -> str:
        chance = self._random
        pairs = []
        for _ in range(chance.choice([0, 1, 1, 2])):
            value = chance.choice([*TEXTS, *POINTERS, "1", "2", "3", "true", "backward", "text", "merge-patch"])
            pairs.append(f"{chance.choice(QUERIES)}={quote(value.encode('utf-8', 'surrogatepass'), safe='')}")
        return "?" + "&".join(pairs) if pairs else ""

    def _value(self, levels: int) -> Any:
        chance = self._random
        if levels == 0 or chance.random() < 0.6:
            return chance.choice([*VALUES, *TEXTS, "<1>", "<2>"])
        if chance.random() < 0.5:
            return [self._value(levels - 1) for _ in range(chance.randint(0, 3))]
        return {chance.choice(KEYS): self._value(levels - 1) for _ in range(chance.randint(0, 3))}

    def _document(self) -> Any:
        return {self._random.choice(KEYS): self._value(2) for _ in range(self._random.randint(0, 4))}

    def _patch(self) -> Any:
        chance = self._random
        operations = []
        for _ in range(chance.choice([0, 1, 2, 3, 5, 40])):
            operation = {"op": chance.choice(OPS), "path": chance.choice(POINTERS), "value": self._value(1)}
            operations.append(operation | {"from": chance.choice(POINTERS)})
        return operations

    def _json(self, value: Any) -> bytes:
        """With numbers in odd spellings, now and then nested without end."""
        text = json.dumps(value, ensure_ascii=self._random.random() < 0.7)
        for mark in ('"<1>"', '"<2>"'):
            text = text.replace(mark, self._random.choice(NUMBERS))
        if self._random.random() < 0.01:
            levels = self._random.choice([99, 100, 101, 5000])
            text = '{"a":' * levels + text + "}" * levels
        return text.encode("utf-8", "surrogatepass")

    def _request(self, method: str, target: str, headers: list[tuple[str, str]], kind: str, body: bytes) -> Request:
        lines = [f"{method} {target} HTTP/1.1".encode(), b"Host: x", b"Content-Length: %d" % len(body)]
        lines += [b"Content-Type: " + kind.encode()] if kind else []
        for name, value in headers:
            lines.append(name.encode() + b": " + value.encode("utf-8", "surrogatepass").replace(b"\r\n", b" "))
        return Request(b"\r\n".join([*lines, b"", body]), head_only=method == "HEAD")
