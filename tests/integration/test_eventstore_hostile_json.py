"""JSON at the edge of what JSON is: each case is decided; what is taken comes back to the byte, wherever it is read."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import msgspec
import psycopg
import pytest

from eskit.events import Event, Stored
from eskit.kafka import record
from eskit.settings import Settings
from eventstore_svc.app import eventstore_app
from eventstore_svc.relay.relay import READ
from tests.integration.eventstore_calls import Api
from tests.services import config_for, running

MAX_DEPTH = Settings().max_depth


def event(payload: bytes = b"{}", rest: bytes = b"") -> bytes:
    """An append of one event."""
    return b'{"originator":{"id":"u1"},"event_type":"User.Created","payload":' + payload + rest + b"}"


def nested(levels: int, opening: bytes = b'{"a":', closing: bytes = b"}") -> bytes:
    """An object so deep."""
    return b'{"a":' + opening * (levels - 1) + b"1" + closing * (levels - 1) + b"}"


KEPT = {
    "numbers as written": b'{"a":1.10,"b":-0,"c":1e2,"d":1E+02,"e":0.1e-7,"f":-0.0}',
    "a number next to zero": b'{"a":1e-400,"b":0e999999999999}',
    "large integers": b'{"a":18446744073709551616,"b":%s,"c":-%s}' % (b"9" * 4300, b"9" * 4299),
    "10,000 digits behind the point": b'{"a":0.%s}' % (b"7" * 10_000),
    "nul, escaped": b'{"a":"x\\u0000y","\\u0000":1}',
    "surrogate pairs, escaped and not": '{"a":"\\ud83d\\ude00","b":"😀"}'.encode(),
    "every escape": b'{"a":"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u00E9"}',
    "line ends of Unicode, no characters": '{"a":"\u2028\u2029\x7f\x85\ufeff\ufffe\uffff"}'.encode(),
    "line ends between tokens": b'{\r\n\t"a" :\n [ 1 ,\r2 ]\n}',
    "a key twice": b'{"a":1,"a":2,"b":{"c":1,"c":1}}',
    "an empty key": b'{"":{"":""}}',
    "the envelope's own keys": b'{"payload":{"event_type":"x","event_type":"y"},"events":[]}',
    "100,000 keys": b"{" + b",".join(b'"%x":0' % n for n in range(100_000)) + b"}",
    "a key of 1 MB": b'{"' + b"k" * 1_000_000 + b'":1}',
    "objects as deep as is allowed": nested(MAX_DEPTH),
    "arrays as deep as is allowed": nested(MAX_DEPTH, b"[", b"]"),
    "many brackets, not deep": b'{"a":[' + b"[],{}," * 500 + b'"[[[[{{{{"]}',
}


@pytest.fixture
async def large(config: Settings) -> Any:
    """A running event store with wide limits."""
    wide = config_for(config.database_url, max_event_bytes=2_000_000)
    async with running(eventstore_app(wide), wide, "eventstore_port") as url, aiohttp.ClientSession() as session:
        yield Api(url, session)


class _Page(msgspec.Struct):
    events: list[Event]


async def pages(api: Api) -> list[list[Event]]:
    """The whole log, and the stream, with payloads as they came."""
    found = []
    for path in ("/v1/log?limit=1000", "/v1/streams/User/u1/events"):
        async with api.session.get(api.url + path) as response:
            found.append(msgspec.json.decode(await response.read(), type=_Page).events)
    return found


@pytest.mark.parametrize("payload", KEPT.values(), ids=list(KEPT))
async def test_what_is_taken_comes_back_to_the_byte(config: Settings, large: Api, payload: bytes) -> None:
    """By stream and log, in the relay's record; every parser of ours can read it, and Postgres too."""
    status, answer = await large.append(event(b" \n" + payload + b"\t "))
    assert status == 201, answer
    for (read,) in await pages(large):
        assert bytes(read.payload) == payload
    with psycopg.connect(config.database_url, options="-c search_path=eventstore") as owner:
        values = {"after": 0, "limit": 10, "most_bytes": 1}
        row = owner.execute(READ, values).fetchone()
        assert row is not None
        objects = "SELECT count(*) FROM events WHERE json_typeof(payload::json) = 'object'"
        assert owner.execute(objects).fetchone() == (1,)
    stored = msgspec.convert(dict(zip(Stored.__struct_fields__, (*row[:8], 0, 0), strict=True)), Stored)
    published = record.Source("main").record(stored).value
    assert bytes(record.decode(published).payload) == payload
    assert isinstance(record.decode(published).data(), dict)
    assert isinstance(json.loads(payload), dict)
    # The same again is the same, for every one of these.
    again = event(payload, b',"event_id":"%s"' % answer["events"][0]["event_id"].encode())
    assert await large.append(again) == (200, answer)


TWICE: dict[str, tuple[bytes, str]] = {
    "event_type": (b'{"event_type":"A.B","originator":{"id":"a"},"event_type":"A.C","payload":{}}', "event_type"),
    "the same value": (event(rest=b',"event_type":"User.Created"'), "event_type"),
    "payload": (event(b'{"a":"1"}', b',"payload":{"a":"1"}'), "payload"),
    "payload, the first no JSON object": (event(b"[1e999]", b',"payload":{}'), "payload"),
    "originator": (event(rest=b',"originator":{"id":"b"}'), "originator"),
    "originator.id": (b'{"originator":{"id":"a","id":"b"},"event_type":"A.B","payload":{}}', "originator.id"),
    "originator.version": (
        b'{"originator":{"version":2,"id":"a","version":1},"event_type":"A.B","payload":{}}',
        "originator.version",
    ),
    "metadata": (event(rest=b',"metadata":{"a":"1"},"metadata":{"a":"1"}'), "metadata"),
    "a key of metadata": (event(rest=b',"metadata":{"a":"1","b":"2","a":"3"}'), "metadata.a"),
    "event_id, null first": (event(rest=b',"event_id":null,"event_id":null'), "event_id"),
    "expected": (event(rest=b',"expected":"any","expected":0'), "expected"),
    "occurred_on": (event(rest=b',"occurred_on":null,"occurred_on":"2026-01-01T00:00:00Z"'), "occurred_on"),
    "written with escapes": (event(rest=b',"event\\u005ftype":"User.Created"'), "event_type"),
    "in the second of several": (
        b'{"events":[' + event() + b"," + event(rest=b',"metadata":{"a":"1","a":"1"}') + b"]}",
        "events[1].metadata.a",
    ),
    "events": (b'{"events":[' + event() + b'],"events":[' + event() + b"]}", "events"),
}


@pytest.mark.parametrize(("body", "field"), TWICE.values(), ids=list(TWICE))
async def test_a_key_twice_in_the_envelope_is_refused(api: Api, body: bytes, field: str) -> None:
    """Nobody's reading of it can be another than ours."""
    status, problem = await api.append(body)
    assert (status, problem["code"], problem["field"]) == (422, "invalid-request", field)
    assert problem["detail"] == f"{field} is given twice"
    assert (await api.get("/v1/log/head"))[1]["position"] == 0


ONCE = {
    "quotes in strings": event(rest=b',"metadata":{"a\\"b":"c\\"d"}').replace(b"u1", b'u\\"1'),
    "nothing said": event(rest=b',"metadata":{},"event_id":null,"occurred_on":null,"expected":null'),
    "all of it": event(
        rest=b',"event_id":"01a20c57-9331-7971-8669-ffaba7c628bf","occurred_on":"2026-01-01T00:00:00Z","expected":"none"'
        b',"metadata":{"a":"1","b":""}'
    ).replace(b'"u1"', b'"u1" , "version" : 1'),
    "a number expected": event(rest=b',"expected":0'),
    "several": b'{"events":[' + event() + b"," + event(rest=b',"metadata":{}') + b"]}",
    "like keys in different events": b'{"events":[' + event(b'{"events":1}') + b"," + event(b'{"events":1}') + b"]}",
}


@pytest.mark.parametrize("body", ONCE.values(), ids=list(ONCE))
async def test_what_only_looks_like_a_key_twice_is_taken(api: Api, body: bytes) -> None:
    assert (await api.append(body))[0] == 201


REFUSED: dict[str, tuple[bytes, int, str]] = {
    **{
        text: (event(b'{"a":%s}' % text.encode()), 400, "")
        for text in ("NaN", "-Infinity", "01", "+1", ".5", "1.", "0x1")
    },
    "1e400": (event(b'{"a":1e400}'), 422, "payload[...]"),
    "-1e400": (event(b'{"a":[-1e400]}'), 422, "payload[...][0]"),
    "10,000 digits": (event(b'{"a":%s}' % (b"9" * 10_000)), 422, "payload[...]"),
    "a version of 10,000 digits": (
        event().replace(b'"u1"', b'"u1","version":' + b"9" * 10_000),
        422,
        "originator.version",
    ),
    "a version with an exponent": (event().replace(b'"u1"', b'"u1","version":1e0'), 422, "originator.version"),
    "half a pair": (event(b'{"a":"\\ud800"}'), 400, ""),
    "half a pair in a key": (event(b'{"\\udc00":1}'), 400, ""),
    "a pair the wrong way": (event(b'{"a":"\\udc00\\ud800"}'), 400, ""),
    "half a pair in metadata": (event(rest=b',"metadata":{"a":"\\ud800"}'), 400, ""),
    "a surrogate in UTF-8": (event(b'{"a":"\xed\xa0\x80"}'), 400, "payload"),
    "overlong nul": (event(b'{"a":"\xc0\x80"}'), 400, "payload"),
    "overlong slash in a key": (event(b'{"\xe0\x80\xaf":1}'), 400, "payload"),
    "beyond Unicode": (event(b'{"a":"\xf5\x80\x80\x80"}'), 400, "payload"),
    "half a character": (event(b'{"a":"\xe2\x82"}'), 400, "payload"),
    "overlong in metadata": (event(rest=b',"metadata":{"a":"\xc0\x80"}'), 400, ""),
    **{f"{c!r} not escaped": (event(b'{"a":"%s"}' % c), 400, "") for c in (b"\0", b"\x01", b"\n", b"\x1f")},
    "an escape that is none": (event(b'{"a":"\\x41"}'), 400, ""),
    "a byte order mark": (b"\xef\xbb\xbf" + event(), 400, ""),
    "UTF-16": (event().decode().encode("utf-16"), 400, ""),
    "UTF-16 without a mark": (event().decode().encode("utf-16-le"), 400, ""),
    "two values": (event() + event(), 400, ""),
    "nul behind": (event() + b"\0", 400, ""),
    "another kind of space": (b"\xc2\xa0" + event(), 400, ""),
    "a comma at the end": (event(b'{"a":1,}'), 400, ""),
    "a comment": (event(b"{/* */}"), 400, ""),
    "objects one level too deep": (event(nested(MAX_DEPTH + 1)), 422, "payload"),
    "arrays one level too deep": (event(nested(MAX_DEPTH + 1, b"[", b"]")), 422, "payload"),
    "too deep in the second of several": (
        b'{"events":[' + event() + b"," + event(nested(MAX_DEPTH + 1)) + b"]}",
        422,
        "events[1].payload",
    ),
    "deeper than can be read": (event(nested(10_000)), 422, ""),
}


@pytest.mark.parametrize(("body", "status", "field"), REFUSED.values(), ids=list(REFUSED))
async def test_what_is_no_json_of_ours_is_refused(api: Api, body: bytes, status: int, field: str) -> None:
    got, problem = await api.append(body)
    assert (got, problem.get("field", "")) == (status, field)
    assert problem["code"] == ("malformed-request" if status == 400 else "invalid-request")
    assert (await api.get("/v1/log/head"))[1]["position"] == 0
