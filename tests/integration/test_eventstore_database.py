"""The database keeps the invariants: each is attacked as each role, past the service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import psycopg
import pytest
from psycopg import sql

from eskit.postgres.connections import conninfo
from eskit.settings import Settings
from eventstore_svc.store import open_event_store, schema
from tests.integration.appending import load, new_event

ROW = "(7, now(), now(), gen_random_uuid(), 1, 'Thing', 'Changed', 'x', '{}', '{}')"

FORBIDDEN_TO_ROLES = [
    f"INSERT INTO events VALUES {ROW}",
    "UPDATE events SET payload = '{}'",
    "DELETE FROM events",
    "TRUNCATE events",
    "INSERT INTO outbox VALUES (99)",
    "UPDATE outbox SET position = 99",
    "TRUNCATE outbox",
    "DROP TABLE events",
    "ALTER TABLE events DISABLE TRIGGER USER",
    "CREATE TABLE anything (n integer)",
    "DELETE FROM eskit_migrations",
    "INSERT INTO relay_lease VALUES (true, 'me', 9, now())",
    "DELETE FROM relay_topic",
    "SET ROLE pg_write_all_data",
]
FORBIDDEN_TO_WRITER = [
    "DELETE FROM outbox",
    "UPDATE relay_lease SET epoch = 9",
    "DELETE FROM relay_topic",
    "UPDATE relay_ends SET position = 1",
    "DELETE FROM signing_key",
]
FORBIDDEN_TO_RELAY = ["SELECT append_batch('{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}')"]


@pytest.fixture
async def filled(config: Settings) -> Settings:
    """A log with events in it."""
    async with open_event_store(config, "test") as store:
        await load(store, 20)
    return config


@pytest.fixture
def plain_login(filled: Settings) -> Iterator[Settings]:
    """The settings of a production set-up: a login without any right of its own, a member of the group roles."""
    parameters = psycopg.conninfo.conninfo_to_dict(filled.database_url)
    with psycopg.connect(filled.database_url, autocommit=True) as owner:
        owner.execute("DROP ROLE IF EXISTS plain_login")
        owner.execute("CREATE ROLE plain_login LOGIN PASSWORD 'plain'")
        for right in ("writer", "relay"):
            owner.execute(sql.SQL("GRANT {} TO plain_login").format(sql.Identifier(f"eskit_eventstore_{right}")))
        url = psycopg.conninfo.make_conninfo("", **(parameters | {"user": "plain_login", "password": "plain"}))
        yield Settings(database_url=url)
        for right in ("writer", "relay"):
            owner.execute(sql.SQL("REVOKE {} FROM plain_login").format(sql.Identifier(f"eskit_eventstore_{right}")))
        owner.execute("DROP ROLE plain_login")


def refused(config: Settings, right: str, statement: str) -> None:
    """The statement must fail for want of rights, and for nothing else."""
    with (
        psycopg.connect(conninfo(config, schema(config), right, "test"), autocommit=True) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement.encode())


@pytest.mark.parametrize("statement", FORBIDDEN_TO_ROLES + FORBIDDEN_TO_WRITER)
def test_writer_cannot(plain_login: Settings, statement: str) -> None:
    """The service's role reads, and appends by the function; nothing else."""
    refused(plain_login, "writer", statement)


@pytest.mark.parametrize("statement", FORBIDDEN_TO_ROLES + FORBIDDEN_TO_RELAY)
def test_relay_cannot(plain_login: Settings, statement: str) -> None:
    """The relay's role reads, trims the outbox, holds the lease; nothing else."""
    refused(plain_login, "relay", statement)


async def test_a_plain_login_can_do_its_work(plain_login: Settings) -> None:
    """Neither superuser nor owner is needed to run."""
    async with open_event_store(plain_login, "test") as store:
        await store.check()
        assert len(await load(store, 10)) == 10


@pytest.mark.parametrize("statement", ["UPDATE events SET payload = '{}'", "DELETE FROM events", "TRUNCATE events"])
def test_not_even_the_owner_changes_events(filled: Settings, statement: str) -> None:
    """A slip at a psql prompt is refused."""
    with psycopg.connect(filled.database_url, options="-c search_path=eventstore", autocommit=True) as owner:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="never changed"):
            owner.execute(statement.encode())
        assert owner.execute("SELECT count(*) FROM events").fetchone() == (20,)


@pytest.mark.parametrize(
    ("column", "value", "constraint"),
    [
        ("position", "1", "events_position"),
        ("version", "0", "version_check"),
        ("originator_id", "''", "originator_id_size"),
        ("originator_id", "repeat('x', 201)", "originator_id_size"),
        ("event_id", "(SELECT event_id FROM events LIMIT 1)", "events_event_id"),
        ("payload", "NULL", "payload"),
    ],
)
def test_constraints_hold_below_the_function(filled: Settings, column: str, value: str, constraint: str) -> None:
    """What the function ensures, the table ensures again."""
    columns = {"position": "999", "recorded_at": "now()", "occurred_on": "now()", "event_id": "gen_random_uuid()",
               "version": "1", "entity_type": "'Thing'", "action": "'Changed'", "originator_id": "'new'",
               "metadata": "'{}'", "payload": "'{}'"} | {column: value}  # fmt: skip
    statement = f"INSERT INTO events ({', '.join(columns)}) VALUES ({', '.join(columns.values())})"
    with (
        psycopg.connect(filled.database_url, options="-c search_path=eventstore", autocommit=True) as owner,
        pytest.raises(psycopg.errors.IntegrityError, match=constraint),
    ):
        owner.execute(statement.encode())


BROKEN_ARRAYS = [
    "'{1,1}', '{2,0}', '{1,9}', '{0,0}'",  # a stream that is not there
    "'{1,1}', '{2,0}', '{1,NULL}', '{0,0}'",
    "'{1,1}', '{2,0}', '{1,0}', '{0,0}'",
    "'{1,1}', '{2,0}', '{1}', '{0,0}'",
    "'{1,NULL}', '{2,0}', '{1,1}', '{0,0}'",
    "'{1,2}', '{2,0}', '{1,1}', '{0}'",
    "'{2,1}', '{2,0}', '{1,1}', '{0,0}'",
    "'{1,1}', '{2}', '{1,1}', '{0,0}'",
    "'{1,1}', '{-1,0}', '{1,1}', '{0,0}'",
    "'{1,1}', '{99999,0}', '{1,1}', '{0,0}'",
    "'{NULL,NULL}', '{2,0}', '{1,1}', '{0,0}'",
]


@pytest.mark.parametrize("arrays", BROKEN_ARRAYS)
def test_arrays_that_do_not_fit_leave_no_hole(filled: Settings, arrays: str) -> None:
    """A writer that calls the function by itself can append, or fail; the log stays dense either way."""
    call = (
        f"SELECT append_batch({arrays}, ARRAY[gen_random_uuid(), gen_random_uuid()], '{{A,A}}', '{{x,x}}', '{{y,y}}',"
        " ARRAY[NULL, NULL]::timestamptz[], '{Thing}', '{new}', '{}')"
    )
    with psycopg.connect(conninfo(filled, schema(filled), "writer", "test"), autocommit=True) as writer:
        with suppress(psycopg.DatabaseError):
            writer.execute(call.encode())
        dense = "SELECT count(*) = max(position) FROM events"
        streams = "SELECT count(*) AS n, max(version) AS last FROM events GROUP BY originator_id"
        versions = f"SELECT bool_and(n = last) FROM ({streams}) AS streams"
        outbox = "SELECT (SELECT count(*) FROM outbox) = (SELECT count(*) FROM events)"
        assert [writer.execute(query.encode()).fetchone() for query in (dense, versions, outbox)] == [(True,)] * 3


async def test_event_and_outbox_row_come_in_one_transaction(config: Settings) -> None:
    """The outbox has a row for each event, from the moment the event is visible."""
    async with open_event_store(config, "test") as store:
        await load(store, 100)
    with psycopg.connect(config.database_url, options="-c search_path=eventstore") as owner:
        together = "SELECT count(*) FROM events e JOIN outbox o USING (position) WHERE e.xmin = o.xmin"
        assert owner.execute(together).fetchone() == (100,)
        assert owner.execute("SELECT count(*) FROM outbox").fetchone() == (100,)


async def test_recorded_at_never_goes_back(config: Settings) -> None:
    """D1: also when the clock does. The log's last event is from the future here."""
    with psycopg.connect(config.database_url, options="-c search_path=eventstore", autocommit=True) as owner:
        owner.execute(
            "INSERT INTO events"
            " VALUES (1, now() + interval '1 hour', now(), gen_random_uuid(), 1, 'T', 'X', 'a', '{}', '{}')"
        )
        async with open_event_store(config, "test") as store:
            await store.append([new_event("b")])
        rows = owner.execute("SELECT recorded_at FROM events ORDER BY position").fetchall()
    assert rows[0] <= rows[1]


async def test_positions_come_from_the_rows_and_no_sequence(filled: Settings) -> None:
    """P3: positions are data, not a sequence: whatever copies the rows copies them, and the next one follows."""
    async with open_event_store(filled, "test") as store:
        before = await store.head()
        appended = await store.append([new_event("after")])
    assert appended.events[0].position == before.position + 1
    with psycopg.connect(filled.database_url) as owner:
        sequences = "SELECT count(*) FROM pg_class WHERE relkind = 'S' AND relnamespace = 'eventstore'::regnamespace"
        assert owner.execute(sequences).fetchone() == (0,)
