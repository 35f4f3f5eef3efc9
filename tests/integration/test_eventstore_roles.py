"""A login that has the services' roles and calls the database by itself: what it can store, and what it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from psycopg import sql

from eskit.events import Stored
from eskit.kafka import record
from eskit.postgres.connections import conninfo
from eskit.settings import Settings
from eventstore_svc.store import open_event_store, schema
from tests.integration.appending import load, new_event

CALL = """SELECT failed, positions, versions FROM append_batch(
    append_of := %(append_of)s::integer[], append_sizes := %(append_sizes)s::integer[],
    stream_of := %(stream_of)s::integer[], wanted := %(wanted)s::integer[],
    event_ids := %(event_ids)s::uuid[], actions := %(actions)s::text[],
    payloads := %(payloads)s::text[], metadatas := %(metadatas)s::text[], occurred := %(occurred)s::timestamptz[],
    stream_types := %(stream_types)s::text[], stream_ids := %(stream_ids)s::text[],
    known_ids := %(known_ids)s::uuid[])"""
ID = "01a20c57-9331-7971-8669-ffaba7c628bf"
GOOD: dict[str, Any] = {
    "append_of": [1], "append_sizes": [1], "stream_of": [1], "wanted": [0], "event_ids": [ID], "actions": ["Changed"],
    "payloads": ["{}"], "metadatas": ["{}"], "occurred": [None], "stream_types": ["Thing"], "stream_ids": ["new"],
    "known_ids": [],
}  # fmt: skip
LOGIN, PASSWORD = "lone_login", "lone"


@pytest.fixture
async def filled(config: Settings) -> Settings:
    """A log with events in it."""
    async with open_event_store(config, "test") as store:
        await load(store, 20)
    return config


def role(name: str) -> sql.Identifier:
    return sql.Identifier(f"eskit_eventstore_{name}")


@pytest.fixture(params=["writer", "relay"])
def only(filled: Settings, request: pytest.FixtureRequest) -> Iterator[tuple[Settings, str]]:
    """A login that is a member of one role only."""
    parameters = psycopg.conninfo.conninfo_to_dict(filled.database_url)
    with psycopg.connect(filled.database_url, autocommit=True) as owner:
        owner.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(LOGIN), PASSWORD))
        owner.execute(sql.SQL("GRANT {} TO {}").format(role(request.param), sql.Identifier(LOGIN)))
        url = psycopg.conninfo.make_conninfo("", **(parameters | {"user": LOGIN, "password": PASSWORD}))
        try:
            yield Settings(database_url=url), request.param
        finally:
            owner.execute(sql.SQL("REVOKE {} FROM {}").format(role(request.param), sql.Identifier(LOGIN)))
            owner.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(LOGIN)))


def connected(config: Settings, right: str) -> psycopg.Connection:
    return psycopg.connect(conninfo(config, schema(config), right, "test"), autocommit=True)


FORBIDDEN = [
    "SET ROLE {other}",
    "SET ROLE postgres",
    "SET SESSION AUTHORIZATION postgres",
    "SELECT * FROM offsets.offsets",
    "CREATE FUNCTION eventstore.refuse_change() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "CREATE TABLE eventstore.anything (n integer)",
    "ALTER FUNCTION append_batch RENAME TO other",
    "ALTER FUNCTION append_batch SECURITY INVOKER",
    "DROP TRIGGER events_never_change ON events",
    "SET session_replication_role = 'replica'",
    "COPY events FROM PROGRAM 'true'",
    "COPY events TO '/tmp/stolen'",
    "BEGIN; LOCK TABLE events IN ACCESS EXCLUSIVE MODE",
]


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_a_login_of_one_role_cannot(only: tuple[Settings, str], statement: str) -> None:
    """Become the other, read another service's schema, put something of its own in the way, or switch anything off."""
    config, right = only
    text = statement.format(other=f"eskit_eventstore_{'relay' if right == 'writer' else 'writer'}")
    with connected(config, right) as connection, pytest.raises(psycopg.Error) as refused:
        connection.execute(text.encode())
    assert isinstance(refused.value, psycopg.errors.InsufficientPrivilege | psycopg.errors.InvalidParameterValue)


SHADOWS = [
    "CREATE TEMP TABLE events (position bigint, recorded_at timestamptz, event_id uuid)",
    "CREATE TEMP TABLE outbox (position bigint)",
    "CREATE FUNCTION pg_temp.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$SELECT timestamptz 'infinity'$$",
    "CREATE FUNCTION pg_temp.json_typeof(json) RETURNS text LANGUAGE sql AS $$SELECT 'object'$$",
    "SET search_path = pg_temp, eventstore; CREATE TEMP TABLE events (position bigint, recorded_at timestamptz)",
    "SET search_path = pg_temp, eventstore; CREATE TEMP TABLE outbox (position bigint)",
]


@pytest.mark.parametrize("shadow", SHADOWS)
def test_temporary_tables_and_functions_do_not_stand_in_for_ours(filled: Settings, shadow: str) -> None:
    """append_batch runs with the owner's rights; what it uses is what the owner made."""
    with connected(filled, "writer") as writer:
        writer.execute(shadow.encode())
        row = writer.execute("SELECT positions FROM (" + CALL + ") AS answer", GOOD).fetchone()
        assert row == ([21],)
    with psycopg.connect(filled.database_url, options="-c search_path=eventstore") as owner:
        query = "SELECT count(*) FROM events JOIN outbox USING (position) WHERE position = 21 AND recorded_at < now()"
        assert owner.execute(query).fetchone() == (1,)


BAD_NAMES: list[tuple[str, str]] = [
    *(("actions", text) for text in ("", "a b", "A.B", "1A", "A\n", "Ä", "A,B", "{A}", '"A"', "A\\", "*")),
    *(("stream_types", text) for text in ("", "a b", ".A", "A.", "A..B", "A.1", "A\nB", "Ä", "A,B", "*", "x" * 200)),
    *(("stream_ids", text) for text in ("", "a\nb", "\x01", "\x7f", "\x85", "\u2028", "x\u2029", ".", "..", "ü" * 101)),
]


@pytest.mark.parametrize(("column", "text"), BAD_NAMES, ids=[f"{column} {text!r}" for column, text in BAD_NAMES])
def test_a_name_that_the_service_would_refuse_is_refused(filled: Settings, column: str, text: str) -> None:
    with connected(filled, "writer") as writer:
        with pytest.raises((psycopg.DataError, psycopg.IntegrityError)):
            writer.execute(CALL, GOOD | {column: [text]})
        assert writer.execute("SELECT max(position) FROM events").fetchone() == (20,)


@pytest.mark.parametrize(
    ("column", "text"),
    [("actions", "null"), ("actions", "NULL"), ("stream_types", "com.acme.User_1"), ("stream_types", "Null.null"),
     ("stream_types", "_"), ("stream_ids", "a, b {c} \"d\" \\ ü 😀"), ("stream_ids", "..."), ("stream_ids", "NULL")],
)  # fmt: skip
async def test_a_name_that_the_service_takes_is_taken(filled: Settings, column: str, text: str) -> None:
    with connected(filled, "writer") as writer:
        assert writer.execute(CALL, GOOD | {column: [text]}).fetchone() == ([0], [21], [1])


ODD_CALLS: list[dict[str, Any]] = [
    {"wanted": [-7]}, {"wanted": [None]}, {"wanted": [2**31 - 1]}, {"append_of": []}, {"append_of": [None]},
    {"append_of": [7]}, {"append_sizes": [-1]}, {"append_sizes": []}, {"append_sizes": [2**31 - 1]}, {"stream_of": [2]},
    {"event_ids": [None]}, {"event_ids": []}, {"event_ids": [ID, ID]}, {"payloads": [None]}, {"payloads": []},
    {"actions": [None]}, {"stream_types": [None]}, {"stream_ids": []}, {"occurred": ["infinity"]},
    {"known_ids": [None]},
    {name: [] for name in GOOD}, dict.fromkeys(GOOD), {name: [*value, *value] for name, value in GOOD.items()},
    {"append_of": [1] * 100_000},
]  # fmt: skip


@pytest.mark.parametrize("odd", ODD_CALLS, ids=lambda odd: str(odd)[:40])
async def test_a_call_that_makes_no_sense_leaves_a_log_that_does(filled: Settings, odd: dict[str, Any]) -> None:
    """It stores, or fails; then the log is dense, and others go on."""
    with connected(filled, "writer") as writer:
        try:
            writer.execute(CALL, GOOD | odd)
        except psycopg.DatabaseError as error:
            assert not isinstance(error, psycopg.OperationalError)  # noqa: PT017 - either is right, but not a lost server
        dense = "SELECT count(*) = max(position) AND count(*) = (SELECT count(*) FROM outbox) FROM events"
        assert writer.execute(dense).fetchone() == (True,)
    async with open_event_store(filled, "test") as store:
        await store.append([new_event("after")])


POISON: list[str] = [
    '{"a":1e400}',
    '{"a":"\\ud800"}',
    '{"\\ud800":1}',
    '{"a":%s}' % ("9" * 5000),
    '{"a":' + "[" * 3000 + "]" * 3000 + "}",
]


@pytest.mark.parametrize("metadata", POISON, ids=lambda text: text[:20])
def test_metadata_that_only_postgres_can_read_does_not_stop_the_relay(filled: Settings, metadata: str) -> None:
    """Where Postgres takes it at all: an index that looks into metadata refuses half of a surrogate pair."""
    with connected(filled, "writer") as writer, suppress(psycopg.errors.InvalidTextRepresentation):
        assert writer.execute(CALL, GOOD | {"metadatas": [metadata]}).fetchone() == ([0], [21], [1])
    stored = Stored(21, ID, "Thing", "new", 1, "Changed", "{}", metadata, 0, 0)
    assert record.decode(record.Source("main").record(stored).value).position == 21
