"""An older schema with data in it, brought up to date: the same log, the same answers, and on it goes."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import aiohttp
import psycopg
import pytest

from eskit.postgres.migrations import Schema, migrate
from eskit.settings import Settings
from eventstore_svc.app import eventstore_app
from tests.integration.eventstore_calls import Api
from tests.services import config_for, running

LATEST = Schema("eventstore", "eventstore_svc").version
FIRST_RELEASED = 4  # with the roles; nobody can have run anything older
FIRST_WITH_SIZES = 5
OLD_ARGUMENTS = (
    "append_of stream_of wanted event_ids actions payloads metadatas occurred stream_types stream_ids known_ids"
)
TYPES = {"event_ids": "uuid[]", "known_ids": "uuid[]", "occurred": "timestamptz[]", "append_of": "integer[]",
         "append_sizes": "integer[]", "stream_of": "integer[]", "wanted": "integer[]"}  # fmt: skip


def event(number: int, stream: str) -> dict[str, Any]:
    """As a client sends it."""
    return {
        "event_id": str(UUID(int=number)),
        "originator": {"id": stream},
        "event_type": "Old.Made",
        "payload": {"n": number},
        "metadata": {"correlation_id": "c"},
        "occurred_on": "2025-01-01T00:00:00Z",
    }


REQUESTS = [[event(1, "a")], [event(2, "a"), event(3, "b"), event(4, "a")], [event(5, "b"), event(6, "c")]]


def made_by(config: Settings, version: int) -> Settings:
    """A log of its own at an older version of the schema, filled by the function that this version had."""
    log = f"v{version}"
    old = Schema(f"eventstore_{log}", "eventstore_svc")
    del old.migrations[version:]
    assert migrate(config.database_url, old) == version
    with psycopg.connect(config.database_url, options=f"-c search_path={old.name}", autocommit=True) as owner:
        for request in REQUESTS:
            count = len(request)
            streams = sorted({sent["originator"]["id"] for sent in request})
            values: dict[str, list[Any]] = {
                "append_of": [1] * count,
                "append_sizes": [count] + [0] * (count - 1),
                "stream_of": [streams.index(sent["originator"]["id"]) + 1 for sent in request],
                "wanted": [0] * count,
                "event_ids": [sent["event_id"] for sent in request],
                "actions": ["Made"] * count,
                "payloads": [f'{{ "n":{sent["payload"]["n"]} }}' for sent in request],
                "metadatas": ['{"correlation_id":"c"}'] * count,
                "occurred": [sent["occurred_on"] for sent in request],
                "stream_types": ["Old"] * len(streams),
                "stream_ids": streams,
                "known_ids": [],
            }
            names = [name for name in values if name != "append_sizes" or version >= FIRST_WITH_SIZES]
            arguments = ", ".join(f"{name} := %({name})s::{TYPES.get(name, 'text[]')}" for name in names)
            owner.execute(f"SELECT append_batch({arguments})".encode(), values)
    return config_for(config.database_url, log=log)


COLUMNS = "position, recorded_at, occurred_on, event_id, version, entity_type, action, originator_id, metadata, payload"


def rows(config: Settings) -> list[tuple[Any, ...]]:
    """The log as the table has it."""
    with psycopg.connect(config.database_url, options=f"-c search_path={config.schema('eventstore')}") as owner:
        return owner.execute(f"SELECT {COLUMNS} FROM events ORDER BY position".encode()).fetchall()


@pytest.mark.parametrize("version", range(FIRST_RELEASED, LATEST + 1))
async def test_a_log_of_an_older_schema_goes_on(config: Settings, version: int) -> None:
    old = made_by(config, version)
    before = rows(old)
    schema = Schema(old.schema("eventstore"), "eventstore_svc")
    assert migrate(old.database_url, schema) == LATEST - version
    assert rows(old) == before

    async with running(eventstore_app(old), old, "eventstore_port") as url, aiohttp.ClientSession() as session:
        api = Api(url, session)
        _, page = await api.get("/v1/log?limit=100")
        assert [(e["position"], e["event_id"], e["payload"]) for e in page["events"]] == [
            (n, str(UUID(int=n)), {"n": n}) for n in range(1, 7)
        ]
        async with session.get(f"{url}/v1/log?limit=100") as response:
            assert b'"payload":{ "n":4 }' in await response.read()
        for request in REQUESTS:
            status, answer = await api.append({"events": request})
            assert status == 200
            assert [e["position"] for e in answer["events"]] == [int(UUID(e["event_id"])) for e in request]
        changed = [REQUESTS[1][0], REQUESTS[1][1] | {"payload": {"n": 0}}, REQUESTS[1][2]]
        assert (await api.append({"events": changed}))[1]["code"] == "event-id-reused"
        # How many were appended together is known of what was stored since it is kept.
        status, _ = await api.append({"events": REQUESTS[1][:2]})
        assert status == (409 if version >= FIRST_WITH_SIZES else 200)
        status, answer = await api.append({"events": [event(7, "a"), event(8, "d")]})
        assert status == 201
        assert [(e["originator"]["version"], e["position"]) for e in answer["events"]] == [(4, 7), (1, 8)]
    assert rows(old)[:6] == before


CATALOG = {
    "columns": "SELECT table_name, column_name, data_type, is_nullable, column_default, collation_name"
    " FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY 1, 2",
    "constraints": "SELECT conrelid::regclass::text, conname, convalidated, pg_get_constraintdef(oid)"
    " FROM pg_constraint WHERE connamespace = current_schema()::regnamespace ORDER BY 1, 2",
    "indexes": "SELECT replace(indexdef, current_schema(), '') FROM pg_indexes"
    " WHERE schemaname = current_schema() ORDER BY 1",
    "functions": "SELECT proname, prosrc, proconfig IS NULL, prosecdef FROM pg_proc"
    " WHERE pronamespace = current_schema()::regnamespace ORDER BY 1",
    "rights": "SELECT table_name, replace(grantee, current_schema(), ''), privilege_type"
    " FROM information_schema.role_table_grants WHERE table_schema = current_schema() ORDER BY 1, 2, 3",
}


@pytest.mark.parametrize("version", range(FIRST_RELEASED, LATEST))
def test_an_upgraded_schema_is_the_same_as_a_fresh_one(config: Settings, version: int) -> None:
    old = made_by(config, version)
    migrate(old.database_url, Schema(old.schema("eventstore"), "eventstore_svc"))
    found = []
    for schema in (config.schema("eventstore"), old.schema("eventstore")):
        with psycopg.connect(config.database_url, options=f"-c search_path={schema}") as owner:
            found.append({name: owner.execute(query.encode()).fetchall() for name, query in CATALOG.items()})
    assert found[0] == found[1]
    assert all(found[0].values())
