"""Ten thousand schemas that want out: neither a file nor a server of ours is ever touched, and nothing hangs."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from random import Random
from threading import Thread
from typing import Any

import jsonschema_rs
import pytest

from crud_svc.documents.exact_json import encode
from crud_svc.types.engine import Engine, Plain
from crud_svc.types.schemas import Schema, read
from eskit.errors import InvalidRequest
from tests.unit.hostile_schemas import Hostile

TREASURE = "what the canary guards"
SCHEMAS = 10_000
IN_OPEN, IN_ACCESS = 0x20, 0x1


class Canaries:
    """A file whose readers the kernel tells of, and a server that counts who calls."""

    def __init__(self, path: Path) -> None:
        self.file = path
        path.write_text(f'{{"const": "{TREASURE}"}}')
        self.calls = 0
        libc = ctypes.CDLL(None, use_errno=True)
        self._inotify = libc.inotify_init1(os.O_NONBLOCK)
        assert libc.inotify_add_watch(self._inotify, os.fsencode(path), IN_OPEN | IN_ACCESS) >= 0
        canaries = self

        class Answering(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                canaries.calls += 1
                body = canaries.file.name.encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Silent."""

        self.server = HTTPServer(("127.0.0.1", 0), Answering)
        self._thread = Thread(target=self.server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/schema.json"

    def touched(self) -> int:
        """How often the file was opened or read, and the server called, since the last time."""
        calls, self.calls = self.calls, 0
        try:
            events = os.read(self._inotify, 65_536)
        except BlockingIOError:
            return calls
        found, at = 0, 0
        while at < len(events):
            *_, length = struct.unpack_from("iIII", events, at)
            found, at = found + 1, at + 16 + length
        return calls + found

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()
        os.close(self._inotify)


@pytest.fixture
def canaries(tmp_path: Path) -> Iterator[Canaries]:
    found = Canaries(tmp_path / "canary.json")
    yield found
    found.close()


DOCUMENT = Plain({"a": {"a": "aaaaaaaaaaaaaaaaaaaa!", "b": [1, TREASURE]}, "$ref": "x"})


def test_ten_thousand_hostile_schemas_touch_nothing(canaries: Canaries) -> None:
    hostile = Hostile(canaries.file, canaries.url, Random(7))
    used, refusals = 0, list[InvalidRequest]()
    for _ in range(SCHEMAS):
        document = hostile.schema()
        if not isinstance(document, dict):
            document = {"$ref": hostile.target()}
        try:
            engine = Engine(read(document))
        except InvalidRequest as error:
            refusals.append(error)
            continue
        used += 1
        engine.accepts(DOCUMENT)
        assert not any(TREASURE in one.message for one in engine.violations(DOCUMENT).listed)
    assert canaries.touched() == 0
    assert used > SCHEMAS / 20
    assert len(refusals) > SCHEMAS / 4
    assert not any(TREASURE in refusal.detail for refusal in refusals)
    assert all((refusal.field or "").startswith("/schema") for refusal in refusals)


def test_the_engine_alone_fetches_nothing_either(canaries: Canaries) -> None:
    """Were the check of references to miss one, there is a second wall."""
    hostile = Hostile(canaries.file, canaries.url, Random(8))
    for _ in range(2000):
        document = {"$defs": {"a": hostile.schema(1)}, **hostile.referring(), **hostile.based()}
        with suppress(InvalidRequest):
            unread = Schema(document, encode(document).decode(), "2020-12", {}, 1, 0)
            Engine(unread).accepts(DOCUMENT)
    assert canaries.touched() == 0


def test_the_canaries_would_tell(canaries: Canaries) -> None:
    """The same engine without its walls reads the file and calls the server: else the tests above could not fail."""
    jsonschema_rs.validator_for({"$ref": f"file://{canaries.file}"})
    assert canaries.touched() > 0
    with suppress(jsonschema_rs.ValidationError, ValueError):
        jsonschema_rs.validator_for({"$ref": canaries.url})
    assert canaries.touched() > 0
