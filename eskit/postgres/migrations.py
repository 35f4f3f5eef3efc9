"""Migrations: numbered .sql files of a package, applied once each, in order, under a lock; their checksums are kept."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from functools import cached_property
from importlib.resources import files
from typing import LiteralString, NamedTuple

import msgspec
import psycopg
from psycopg import AsyncConnection, Connection, sql

from eskit.errors import SchemaMismatch, SettingsError

_FILE = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")

_TABLE: LiteralString = """
CREATE TABLE IF NOT EXISTS eskit_migrations (
    version    integer     PRIMARY KEY,
    name       text        NOT NULL,
    checksum   text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
)"""


class Migration(NamedTuple):
    """One file: `0001_events.sql`."""

    version: int
    name: str
    text: LiteralString

    @property
    def checksum(self) -> str:
        """SHA-256 of the text: a migration that was applied must never change."""
        return hashlib.sha256(self.text.encode()).hexdigest()


class Schema(msgspec.Struct, frozen=True, dict=True):
    """A Postgres schema and the package that owns it; its migrations lie in `<package>/sql/migrations`."""

    name: str
    package: str

    @cached_property
    def migrations(self) -> list[Migration]:
        """All of them, in order; raises SchemaMismatch for a gap in the numbers."""
        folder = files(self.package).joinpath("sql", "migrations")
        names = sorted(entry.name for entry in folder.iterdir() if _FILE.fullmatch(entry.name))
        found = [Migration(int(name[:4]), name, folder.joinpath(name).read_text(encoding="utf-8")) for name in names]
        if [m.version for m in found] != list(range(1, len(found) + 1)):
            raise SchemaMismatch(f"migrations of {self.package} are not numbered 1, 2, 3 …: {names}")
        return found

    @property
    def version(self) -> int:
        """The version this code was written for."""
        return len(self.migrations)


def migrate(database_url: str, schema: Schema, say: Callable[[str], None] = lambda _: None) -> int:
    """Bring one schema up to date; answers how many migrations ran. Two at once wait for each other.

    Connect as the owner. Raises SchemaMismatch when the database is newer, or an applied file has changed since.
    """
    with connect_as_owner(database_url) as connection:
        connection.execute("SELECT pg_advisory_lock(hashtextextended('eskit.migrate', 0))")
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema.name)))
        # pg_temp last: otherwise a temporary table could stand in for ours inside a SECURITY DEFINER function.
        connection.execute(sql.SQL("SET search_path = {}, pg_temp").format(sql.Identifier(schema.name)))
        connection.execute(_TABLE)
        waiting = _waiting(connection, schema)
        for migration in waiting:
            say(f"{schema.name}: {migration.name}")
            with connection.transaction():
                connection.execute(migration.text)
                connection.execute(
                    "INSERT INTO eskit_migrations (version, name, checksum) VALUES (%s, %s, %s)",
                    (migration.version, migration.name, migration.checksum),
                )
    return len(waiting)


def connect_as_owner(database_url: str) -> Connection:
    """A connection in autocommit; raises SettingsError for a wrong URL, SchemaMismatch where it is not UTF-8."""
    try:
        connection = psycopg.connect(database_url, autocommit=True, connect_timeout=10, client_encoding="UTF8")
    except (psycopg.ProgrammingError, UnicodeError):
        # The driver's own message quotes the URL, password and all.
        raise SettingsError("ESKIT_DATABASE_URL is not a PostgreSQL URL", field="ESKIT_DATABASE_URL") from None
    encoding = connection.execute("SHOW server_encoding").fetchone()
    if encoding != ("UTF8",):
        connection.close()
        raise SchemaMismatch(f"the database's encoding is {encoding and encoding[0]}; make one with ENCODING 'UTF8'")
    return connection


def _waiting(connection: Connection, schema: Schema) -> list[Migration]:
    applied = connection.execute("SELECT version, name, checksum FROM eskit_migrations ORDER BY version").fetchall()
    _compare(schema, len(applied))
    for (_, name, checksum), migration in zip(applied, schema.migrations, strict=False):
        if checksum != migration.checksum:
            raise SchemaMismatch(
                f"schema {schema.name}: {name} was changed after it had been applied; write a new migration"
            )
    return schema.migrations[len(applied) :]


def _compare(schema: Schema, applied: int) -> None:
    if applied > schema.version:
        message = (
            f"schema {schema.name} is at version {applied}, this program knows {schema.version}: use a newer program"
        )
        raise SchemaMismatch(message)


async def require_schema(connection: AsyncConnection, schema: Schema) -> None:
    """Refuse a database whose schema is not exactly ours; raises SchemaMismatch that says what to do."""
    try:
        cursor = await connection.execute("SELECT coalesce(max(version), 0) FROM eskit_migrations")
        row = await cursor.fetchone()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InsufficientPrivilege):
        row = None
    applied = row[0] if row else 0
    _compare(schema, applied)
    if applied < schema.version:
        message = (
            f"schema {schema.name} is at version {applied}, this program needs {schema.version}: run `eskit migrate`"
        )
        raise SchemaMismatch(message)
