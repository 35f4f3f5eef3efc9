"""What ours is compared with: a handler that only decodes the body, and a naive transaction per append.

`python -m tests.benchmarks.peers trivial|naive|row|lists PORT [DATABASE_URL]`
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import uvloop
from aiohttp import web
from psycopg_pool import AsyncConnectionPool

from eskit.ids import uuid7
from eskit.offsets import Committed
from eventstore_svc.api.append_requests import EventIn
from offsets_svc.api.commits import OffsetIn

NAIVE_TABLES = """
CREATE TABLE IF NOT EXISTS naive_events (
    position bigserial PRIMARY KEY, event_id uuid UNIQUE NOT NULL,
    entity_type text NOT NULL, originator_id text NOT NULL,
    version integer NOT NULL, action text NOT NULL, payload text NOT NULL, metadata text NOT NULL,
    occurred_on timestamptz NOT NULL, recorded_at timestamptz NOT NULL, UNIQUE (entity_type, originator_id, version));
CREATE TABLE IF NOT EXISTS naive_outbox (position bigint PRIMARY KEY)"""

_decoder = msgspec.json.Decoder(EventIn)
_offset = msgspec.json.Decoder(OffsetIn)
_object = msgspec.json.Decoder(dict)
_encode = msgspec.json.Encoder().encode
COMMIT = "/v1/consumers/{consumer}/offsets/{topic}/{partition}"
POOL: web.AppKey[AsyncConnectionPool[Any]] = web.AppKey("pool", AsyncConnectionPool)


def _answer(event_id: str, ident: str, version: int, position: int) -> web.Response:
    """As any aiohttp handler answers."""
    event = {"event_id": event_id, "originator": {"id": ident, "version": version}, "position": position}
    return web.Response(status=201, body=_encode({"events": [event]}), content_type="application/json")


async def decode_only(request: web.Request) -> web.Response:
    """Read, decode and answer as the event store does, and store nothing."""
    event = _decoder.decode(await request.read())
    _object.decode(event.payload)
    return _answer(str(uuid7()), event.originator.id, 1, 1)


async def naive_append(request: web.Request) -> web.Response:
    """A transaction for each append: next version, event, outbox row."""
    event = _decoder.decode(await request.read())
    ident, kind = event.originator.id, event.event_type.rpartition(".")[0]
    async with request.app[POOL].connection() as connection, connection.transaction():
        cursor = await connection.execute(
            "SELECT coalesce(max(version), 0) + 1 FROM naive_events WHERE entity_type = %s AND originator_id = %s",
            (kind, ident),
        )
        row = await cursor.fetchone()
        assert row is not None
        version = row[0]
        cursor = await connection.execute(
            "INSERT INTO naive_events (event_id, entity_type, originator_id, version, action, payload, metadata,"
            " occurred_on, recorded_at) VALUES (%s, %s, %s, %s, %s, %s, '{}', now(), now()) RETURNING position",
            (uuid7(), kind, ident, version, "Created", bytes(event.payload).decode()),
        )
        row = await cursor.fetchone()
        assert row is not None
        await connection.execute("INSERT INTO naive_outbox VALUES (%s)", row)
    return _answer("", ident, version, row[0])


async def bare_row(request: web.Request) -> web.Response:
    """One row by its key, answered as it is: the least that a read of an entity could be."""
    async with request.app[POOL].connection() as connection:
        cursor = await connection.execute(
            "SELECT payload FROM eventstore.events WHERE entity_type = %s AND originator_id = %s AND version = 1",
            (request.match_info["type"], request.match_info["id"]),
        )
        row = await cursor.fetchone()
    assert row is not None
    return web.Response(body=row[0].encode(), content_type="application/json")


LISTED = """SELECT id, version, position, body FROM entities
 WHERE entity_type = 'User' AND deleted_at = 0 {} ORDER BY id LIMIT 10"""
OF_CITY = """AND sort_key(search #> '{city}'::text[]) COLLATE "C" = '5' || %s"""


async def bare_list(request: web.Request) -> web.Response:
    """The one statement of a list of ten, answered as it is."""
    city = request.query.get("filter.city")
    text, values = (LISTED.format(""), ()) if city is None else (LISTED.format(OF_CITY), (city,))
    async with request.app[POOL].connection() as connection:
        found = await (await connection.execute(text.encode(), values, prepare=False)).fetchall()
    entities = [
        {"id": ident, "version": version, "position": position, "document": msgspec.Raw(body.encode())}
        for ident, version, position, body in found
    ]
    return web.Response(body=_encode({"entities": entities}), content_type="application/json")


async def answer_put(request: web.Request) -> web.Response:
    """Read, decode and answer as the offsets service does, and store nothing."""
    given = _offset.decode(await request.read())
    return _committed(request, given)


async def update_row(request: web.Request) -> web.Response:
    """One UPDATE by the key for each request: the least that storing an offset could be, without a rule."""
    given = _offset.decode(await request.read())
    async with request.app[POOL].connection() as connection:
        await connection.execute(
            "UPDATE offsets.offsets SET next_offset = %s, position = %s, updated_at = clock_timestamp()"
            " WHERE consumer = %s AND topic = %s AND partition = %s",
            (given.offset, given.position, request.match_info["consumer"], request.match_info["topic"],
             int(request.match_info["partition"])),
        )  # fmt: skip
    return _committed(request, given)


def _committed(request: web.Request, given: OffsetIn) -> web.Response:
    place = request.match_info
    stored = Committed(place["topic"], int(place["partition"]), given.offset, given.position, given.epoch or 0)
    return web.Response(body=_encode(stored), content_type="application/json")


def app(kind: str, database_url: str) -> web.Application:
    """One peer."""
    application = web.Application()
    if kind == "trivial":
        application.add_routes([web.post("/v1/events", decode_only), web.put(COMMIT, answer_put)])
        return application

    async def pool(of: web.Application) -> AsyncIterator[None]:
        async with AsyncConnectionPool(database_url, min_size=16, max_size=16, open=False) as opened:
            of[POOL] = opened
            if kind != "lists":
                async with opened.connection() as connection:
                    await connection.execute(NAIVE_TABLES)
            yield

    application.cleanup_ctx.append(pool)
    application.add_routes([web.post("/v1/events", naive_append), web.get("/v1/entities/{type}/{id}", bare_row)])
    application.add_routes([web.put(COMMIT, update_row), web.get("/v1/entities/{type}", bare_list)])
    return application


if __name__ == "__main__":
    which, port, url = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    web.run_app(app(which, url), host="127.0.0.1", port=port, access_log=None, print=None, loop=uvloop.new_event_loop())
