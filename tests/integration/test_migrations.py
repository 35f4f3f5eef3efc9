"""Migrations: once each, in order, under a lock; a schema that is not ours is refused."""

from __future__ import annotations

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import aiohttp
import psycopg
import pytest

from eskit.errors import SchemaMismatch, Unavailable
from eskit.postgres.migrations import Migration, Schema, migrate
from eskit.settings import Settings
from eventstore_svc.app import eventstore_app
from eventstore_svc.store import open_event_store
from tests.integration.appending import load, new_event
from tests.services import config_for, running


def test_two_at_once_apply_each_migration_once(config: Settings) -> None:
    schema = Schema("eventstore_twice", "eventstore_svc")
    with ThreadPoolExecutor(4) as pool:
        ran = list(pool.map(lambda _: migrate(config.database_url, schema), range(4)))
    assert sorted(ran) == [0, 0, 0, schema.version]


def test_a_changed_migration_is_refused(config: Settings) -> None:
    with psycopg.connect(config.database_url, autocommit=True) as owner:
        owner.execute("UPDATE eventstore.eskit_migrations SET checksum = 'other' WHERE version = 1")
    with pytest.raises(SchemaMismatch, match=r"0001_events\.sql was changed"):
        migrate(config.database_url, Schema("eventstore", "eventstore_svc"))


def test_a_failing_migration_leaves_nothing_behind(config: Settings) -> None:
    schema = Schema("broken", "eventstore_svc")
    schema.migrations[:] = [
        Migration(1, "0001_good.sql", "CREATE TABLE good (n integer)"),
        Migration(2, "0002_bad.sql", "CREATE TABLE half (n integer); SELECT nonsense"),
    ]
    with pytest.raises(psycopg.errors.UndefinedColumn):
        migrate(config.database_url, schema)
    with psycopg.connect(config.database_url) as owner:
        tables = owner.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'broken' ORDER BY 1").fetchall()
    assert tables == [("eskit_migrations",), ("good",)]


async def test_a_service_refuses_a_schema_newer_than_itself(config: Settings) -> None:
    with psycopg.connect(config.database_url, autocommit=True) as owner:
        owner.execute("INSERT INTO eventstore.eskit_migrations VALUES (99, '0099_future.sql', 'x')")
    async with open_event_store(config, "test") as store:
        with pytest.raises((SchemaMismatch, Unavailable)):
            await store.append([new_event("a")])
    async with running(eventstore_app(config), config, "eventstore_port") as url, aiohttp.ClientSession() as session:
        answer = await (await session.get(f"{url}/readyz")).json()
    assert "use a newer program" in answer["checks"]["database"]


async def test_an_unmigrated_database_says_what_to_run(postgres_server: object, database_url: str) -> None:
    config = config_for(database_url, log="unmade")
    async with running(eventstore_app(config), config, "eventstore_port") as url, aiohttp.ClientSession() as session:
        answer = await (await session.get(f"{url}/readyz")).json()
    assert "eskit migrate" in answer["checks"]["database"]


async def test_two_logs_on_one_database_know_nothing_of_each_other(config: Settings) -> None:
    """D13: a log is a schema, with positions, streams and a lock of its own."""
    acme = config_for(config.database_url, log="acme")
    migrate(config.database_url, Schema("eventstore_acme", "eventstore_svc"))
    async with open_event_store(config, "main") as main, open_event_store(acme, "acme") as other:
        await load(main, 100)
        recorded = await load(other, 50)
        assert sorted(r.position for r in recorded) == list(range(1, 51))
        assert ((await main.head()).position, (await other.head()).position) == (100, 50)


def test_no_sql_names_a_schema() -> None:
    """D13: the search path decides, so one text serves every log."""
    root = Path(__file__).parents[2]
    texts = [path for folder in ("eventstore_svc", "offsets_svc") for path in (root / folder / "sql").rglob("*.sql")]
    assert texts
    for path in texts:
        code = "\n".join(line.partition("--")[0] for line in path.read_text().splitlines())
        assert not re.search(
            r"(FROM|JOIN|INTO|UPDATE|TABLE|FUNCTION|ON)\s+(eventstore|offsets|crud)\w*\.\w+\s*($|[(;])", code
        ), path


def test_the_command_says_what_it_does(config: Settings) -> None:
    command = [sys.executable, "-m", "eskit", "migrate", "--database-url", config.database_url]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "eskit: eventstore: version" in done.stderr
    away = subprocess.run(
        [*command[:-1], "postgresql://x:pa55@127.0.0.1:1/x"], capture_output=True, text=True, check=False
    )
    assert away.returncode == 1
    assert "cannot be reached" in away.stderr
    assert "pa55" not in away.stderr + away.stdout
