"""What somebody with bad intentions, or bad luck, sends: past the contract, past the service, past the defaults."""

from __future__ import annotations

import asyncio

import psycopg
import pytest
from psycopg import sql

from eskit.postgres.connections import conninfo
from eskit.selectors import Selector
from eskit.settings import Settings
from eventstore_svc.store import open_event_store, schema
from tests.integration.appending import load, new_event
from tests.integration.eventstore_calls import GOOD, ID, Api


@pytest.mark.parametrize("header", [b"Content-Type: a/\xff", b"Eskit-User: \xe9\xff", b"Content-Encoding: \xff"])
async def test_header_bytes_that_are_no_text_are_refused(api: Api, header: bytes) -> None:
    """They must not break the answer that names them."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(api.url.rpartition(":")[2]))
    writer.write(b"POST /v1/events HTTP/1.1\r\nHost: x\r\n" + header + b"\r\nContent-Length: 2\r\n\r\n{}")
    answer = await asyncio.wait_for(reader.read(65_536), 10)
    writer.close()
    await writer.wait_closed()
    assert answer.startswith((b"HTTP/1.1 415", b"HTTP/1.1 422"))
    assert b"application/problem+json" in answer


@pytest.mark.parametrize("segment", ["%FF", "M%FCller", "%ED%A0%80", "%zz", "%", "a%2"])
async def test_a_path_that_is_not_percent_encoded_utf8_is_refused(api: Api, segment: str) -> None:
    """Taken as it stands, `%FF` and `%25FF` would name one stream."""
    status, problem = await api.get(f"/v1/streams/User/{segment}/events")
    assert (status, problem["code"], problem["field"]) == (400, "malformed-request", "path")


async def test_a_body_does_not_overrule_the_gateways_headers(api: Api) -> None:
    event = GOOD | {"metadata": {"user": "root"}}
    status, problem = await api.append(event, Eskit_User="ann")
    assert (status, problem["field"]) == (422, "metadata.user")
    assert (await api.append(event))[0] == 201
    assert (await api.append(event, Eskit_User="root"))[0] == 201
    status, problem = await api.append(GOOD | {"metadata": {"traceparent": "\0evil"}})
    assert (status, problem["field"]) == (422, "metadata.traceparent")


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ('{"a":1,"b":2}', '{ "b": 2, "a": 1 }', True),
        ('{"a":"\\u00e9"}', '{"a":"é"}', True),
        ('{"a":true}', '{"a":1}', False),
        ('{"a":1}', '{"a":1.0}', False),
        ('{"a":0.1}', '{"a":0.10000000000000000001}', False),
        ('{"a":1,"a":2}', '{"a":2}', False),
        ('{"a":[1,2]}', '{"a":[2,1]}', False),
    ],
)
async def test_the_same_event_id_with_almost_the_same_content(api: Api, first: str, second: str, same: bool) -> None:
    def body(payload: str) -> bytes:
        return f'{{"event_id":"{ID}","originator":{{"id":"u"}},"event_type":"User.Made","payload":{payload}}}'.encode()

    assert (await api.append(body(first)))[0] == 201
    assert (await api.append(body(second)))[0] == (200 if same else 409)


async def test_events_that_were_not_stored_together_are_not_one_append(api: Api) -> None:
    one, two = (GOOD | {"event_id": ID}, GOOD | {"event_id": ID[:-1] + "0"})
    for event in (one, GOOD, two):
        await api.append(event)
    status, problem = await api.append({"events": [one, two]})
    assert (status, problem["code"]) == (409, "event-id-reused")


async def test_a_page_ends_by_bytes_too(config: Settings) -> None:
    """Reading many large events takes more pages, not more memory; none is missing."""
    large = b'{"x":"' + b"y" * 850_000 + b'"}'
    async with open_event_store(config, "test") as store:
        for _ in range(25):
            await store.append([new_event("large", payload=large), new_event("small")])
        page = await store.stream("Thing", "large", limit=1000)
        assert (len(page.events), page.more) == (10, True)
        seen: list[int] = []
        first = 1
        while len(seen) < 50:
            log = await store.log(first, 1000, Selector())
            assert sum(len(event.payload) for event in log.events) < 9_500_000
            seen += [event.position for event in log.events]
            first = log.next
        assert seen == list(range(1, 51))


POISON = {
    "payload": "'{garbage}', '{\"{}\"}', ARRAY[NULL]::timestamptz[], '{T}', '{x}'",
    "payload no object": "'{[1]}', '{\"{}\"}', ARRAY[NULL]::timestamptz[], '{T}', '{x}'",
    "metadata": "'{\"{}\"}', '{garbage}', ARRAY[NULL]::timestamptz[], '{T}', '{x}'",
    "time": "'{\"{}\"}', '{\"{}\"}', ARRAY['infinity']::timestamptz[], '{T}', '{x}'",
    "type": "'{\"{}\"}', '{\"{}\"}', ARRAY[NULL]::timestamptz[], '{\"\"}', '{x}'",
}


@pytest.mark.parametrize("values", POISON.values(), ids=list(POISON))
def test_the_writers_role_cannot_store_what_would_stop_relay_or_readers(config: Settings, values: str) -> None:
    call = (
        f"SELECT append_batch('{{1}}', '{{1}}', '{{1}}', '{{0}}', ARRAY[gen_random_uuid()], '{{C}}', {values}, '{{}}')"
    )
    with psycopg.connect(conninfo(config, schema(config), "writer", "test"), autocommit=True) as writer:
        with pytest.raises((psycopg.DataError, psycopg.IntegrityError)):
            writer.execute(call.encode())
        assert writer.execute("SELECT count(*) FROM events").fetchone() == (0,)


async def test_a_database_whose_default_isolation_is_stricter(config: Settings) -> None:
    """append_batch needs a new snapshot after the lock; the connections ask for it themselves."""
    with psycopg.connect(config.database_url, autocommit=True) as owner:
        name = sql.Identifier(owner.info.dbname)
        owner.execute(sql.SQL("ALTER DATABASE {} SET default_transaction_isolation = 'repeatable read'").format(name))
    async with open_event_store(config, "one") as one, open_event_store(config, "two") as two:
        parts = await asyncio.gather(load(one, 400), load(two, 400))
    assert sorted(r.position for part in parts for r in part) == list(range(1, 801))
