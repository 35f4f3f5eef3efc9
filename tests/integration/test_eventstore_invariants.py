"""Every invariant that the event store's tables keep: the owner meets a constraint, the services' roles no door."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import NamedTuple

import psycopg
import pytest

from eskit.postgres.connections import conninfo
from eskit.settings import Settings
from eventstore_svc.store import open_event_store, schema
from tests import stack
from tests.integration.appending import load, new_event
from tests.services import config_for
from tests.stack import Postgres

ROW = {
    "position": "999", "recorded_at": "now()", "occurred_on": "now()", "event_id": "gen_random_uuid()", "version": "1",
    "entity_type": "'Thing'", "action": "'Changed'", "originator_id": "'new'", "metadata": "'{}'", "payload": "'{}'",
    "append_size": "1",
}  # fmt: skip
LAST = "(SELECT {} FROM events ORDER BY position DESC LIMIT 1)"


class Attack(NamedTuple):
    """What is tried, and the name of the constraint, or of the column, that the owner's error has."""

    statement: str
    refused_by: str


def event(refused_by: str, **values: str) -> Attack:
    """A row of the log that must not be, in an otherwise good insert."""
    row = ROW | values
    return Attack(f"INSERT INTO events ({', '.join(row)}) VALUES ({', '.join(row.values())})", refused_by)


STREAM = {name: LAST.format(name) for name in ("entity_type", "originator_id", "version")}
EVENTS = [
    event("events_stream", **STREAM),
    event("events_event_id", event_id=LAST.format("event_id")),
    *(event("events_position", position=position) for position in ("1", LAST.format("position"))),
    *(event("events_version_check", version=version) for version in ("0", "-1", "-2147483648")),
    *(event("events_names", **{name: "''"}) for name in ("entity_type", "action")),
    *(
        event("events_originator_id_size", originator_id=text)
        for text in ("''", "repeat('x', 201)", "repeat('ü', 101)")
    ),
    *(
        event("events_occurred_on", occurred_on=f"'{moment}'")
        for moment in ("infinity", "-infinity", "10000-01-01 00:00:00+00", "0001-12-31 23:59:59.999999+00 BC")
    ),
    *(event("events_append_size_check", append_size=size) for size in ("-1", "-32768")),
    event("events_type_size", entity_type="repeat('T', 193)"),
    event("events_type_size", action="repeat('ü', 98)"),
    *(event(column, **{column: "NULL"}) for column in ROW if column != "append_size"),
]
# What the relay may write has constraints of its own to meet.
RELAY = [
    Attack("UPDATE relay_lease SET only_row = false", "relay_lease_only_row_check"),
    Attack("UPDATE relay_lease SET only_row = NULL", "only_row"),
    Attack("UPDATE relay_lease SET holder = NULL", "holder"),
    Attack("UPDATE relay_lease SET epoch = NULL", "epoch"),
    Attack("UPDATE relay_lease SET expires_at = NULL", "expires_at"),
    Attack("INSERT INTO relay_topic VALUES (false, 'other', 6, 'id')", "relay_topic_only_row_check"),
    Attack("INSERT INTO relay_topic VALUES (true, 'other', 6, 'id')", "relay_topic_pkey"),
    Attack("UPDATE relay_topic SET partitions = 0", "relay_topic_partitions_check"),
    Attack("UPDATE relay_topic SET only_row = false", "relay_topic_only_row_check"),
    *(Attack(f"UPDATE relay_topic SET {name} = NULL", name) for name in ("only_row", "name", "partitions", "topic_id")),
]
BESIDE = [
    Attack("INSERT INTO relay_lease VALUES (true, 'me', 9, now())", "relay_lease_pkey"),
    Attack("INSERT INTO relay_lease VALUES (false, 'me', 9, now())", "relay_lease_only_row_check"),
    Attack("INSERT INTO outbox VALUES (1)", "outbox_pkey"),
    Attack("INSERT INTO outbox VALUES (NULL)", "position"),
    Attack("UPDATE outbox SET position = 1 WHERE position = 2", "outbox_pkey"),
]
CHANGES = [
    "UPDATE events SET version = version",
    "UPDATE events SET payload = '{}' WHERE false",
    "DELETE FROM events WHERE position = 20",
    "DELETE FROM events WHERE false",
    "WITH gone AS (DELETE FROM events RETURNING *) SELECT count(*) FROM gone",
    "TRUNCATE outbox, events",
    "TRUNCATE events CASCADE",
    "INSERT INTO events SELECT * FROM events ON CONFLICT (position) DO UPDATE SET payload = '{}'",
    "MERGE INTO events USING outbox ON outbox.position = events.position WHEN MATCHED THEN DELETE",
    "MERGE INTO events USING outbox ON outbox.position = events.position WHEN MATCHED THEN UPDATE SET metadata = '{}'",
]


async def fill(config: Settings) -> None:
    """A log with events in it, pinned to a topic."""
    async with open_event_store(config, "test") as store:
        await load(store, 20)
    with owner(config) as connection:
        connection.execute("INSERT INTO relay_topic (name, partitions, topic_id) VALUES ('mine', 6, 'id')")


@pytest.fixture
async def own(config: Settings) -> Settings:
    """For what does change something."""
    await fill(config)
    return config


class Filled(NamedTuple):
    """A log that attacks must not change, and what is in it."""

    config: Settings
    owner: psycopg.Connection
    contents: list[object]


@pytest.fixture(scope="module")
def filled(postgres_server: Postgres, template_database: str) -> Iterator[Filled]:
    """One for all attacks: none of them leaves a trace."""
    with stack.fresh_database(postgres_server, template_database) as url:
        config = config_for(url)
        asyncio.run(fill(config))
        with owner(config) as connection:
            yield Filled(config, connection, contents(connection))


def owner(config: Settings) -> psycopg.Connection:
    return psycopg.connect(config.database_url, options="-c search_path=eventstore", autocommit=True)


def member(config: Settings, right: str) -> psycopg.Connection:
    """As a service connects: with its role, and no other right."""
    return psycopg.connect(conninfo(config, schema(config), right, "test"), autocommit=True)


def contents(connection: psycopg.Connection) -> list[object]:
    """Everything that is stored."""
    return [
        connection.execute(f"SELECT {table}::text FROM {table} ORDER BY 1".encode()).fetchall()
        for table in ("events", "outbox", "relay_lease", "relay_topic")
    ]


def met_by_constraint(connection: psycopg.Connection, attack: Attack) -> None:
    with pytest.raises(psycopg.IntegrityError) as refused:
        connection.execute(attack.statement.encode())
    assert attack.refused_by in {refused.value.diag.constraint_name, refused.value.diag.column_name}


def attacked(attacks: list[Attack]) -> pytest.MarkDecorator:
    names = [f"{attack.refused_by} {attack.statement[-40:]}" for attack in attacks]
    return pytest.mark.parametrize("attack", attacks, ids=names)


@attacked(EVENTS + RELAY + BESIDE)
def test_the_owner_meets_the_constraint(filled: Filled, attack: Attack) -> None:
    met_by_constraint(filled.owner, attack)
    assert contents(filled.owner) == filled.contents


@pytest.mark.parametrize("right", ["writer", "relay"])
@attacked(EVENTS + RELAY + BESIDE)
def test_the_roles_find_no_door(filled: Filled, right: str, attack: Attack) -> None:
    with member(filled.config, right) as connection:
        if right == "relay" and attack in RELAY:
            met_by_constraint(connection, attack)
        else:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(attack.statement.encode())
    assert contents(filled.owner) == filled.contents


@pytest.mark.parametrize("statement", CHANGES)
def test_no_way_of_changing_events_is_left_to_the_owner(filled: Filled, statement: str) -> None:
    """The trigger meets every statement that could change a row, also one that would change none."""
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="never changed"):
        filled.owner.execute(statement.encode())
    assert contents(filled.owner) == filled.contents


@pytest.mark.parametrize("right", ["writer", "relay"])
@pytest.mark.parametrize("statement", CHANGES)
def test_nor_to_the_roles(filled: Filled, right: str, statement: str) -> None:
    with (
        member(filled.config, right) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"),
    ):
        connection.execute(statement.encode())
    assert contents(filled.owner) == filled.contents


CALL = """SELECT append_batch(
    append_of := '{{1}}', append_sizes := {append_size}, stream_of := '{{1}}', wanted := '{{0}}',
    actions := '{{Changed}}', event_ids := {event_id}, payloads := {payload}, metadatas := {metadata},
    occurred := {occurred_on}, stream_types := '{{Thing}}', stream_ids := {originator_id}, known_ids := '{{}}')"""
CALLED = {"append_size": "'{1}'", "event_id": "ARRAY[gen_random_uuid()]", "payload": "ARRAY['{}']",
          "metadata": "ARRAY['{}']", "occurred_on": "'{NULL}'", "originator_id": "'{new}'"}  # fmt: skip


def called(refused_by: str, **values: str) -> Attack:
    return Attack(CALL.format(**(CALLED | values)), refused_by)


@attacked(
    [
        called("events_event_id", event_id="(SELECT ARRAY[event_id] FROM events LIMIT 1)"),  # not said to be known
        called("event_id", event_id="'{NULL}'"),
        called("events_originator_id_size", originator_id="ARRAY[repeat('x', 201)]"),
        called("events_originator_id_size", originator_id="ARRAY['']"),
        called("events_occurred_on", occurred_on="'{infinity}'"),
        called("events_occurred_on", occurred_on="'{10000-01-01 00:00:00+00}'"),
        called("events_append_size_check", append_size="'{-1}'"),
    ]
)
async def test_the_function_passes_no_constraint_by(own: Settings, attack: Attack) -> None:
    """It has the owner's rights; a writer that calls it by itself meets what the owner meets, and others go on."""
    with owner(own) as connection:
        before = contents(connection)
        with member(own, "writer") as writer:
            met_by_constraint(writer, attack)
        assert contents(connection) == before
    async with open_event_store(own, "test") as store:
        assert (await store.append([new_event("after")])).events[0].position == 21


def test_a_call_as_the_writer_makes_it_is_stored(own: Settings) -> None:
    """So that the calls above fail for what is wrong with them, and the inserts, too."""
    with member(own, "writer") as connection:
        connection.execute(CALL.format(**CALLED).encode())
    with owner(own) as connection:
        connection.execute(event("", position="22", version="2").statement.encode())
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (22,)
