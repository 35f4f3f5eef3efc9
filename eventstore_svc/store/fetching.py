"""Statements that read, through a session of a pooled connection: rows in binary, decoded where somebody asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID
from weakref import WeakKeyDictionary

import psycopg
from psycopg import AsyncConnection, pq

from eskit.postgres.connections import Pool, use
from eskit.postgres.statements import numbered
from eventstore_svc.store.statement_session import StatementSession

Value = str | int | bool | UUID | datetime | Sequence[str | None] | None


class Rows:
    """What a statement answered."""

    def __init__(self, result: pq.abc.PGresult) -> None:
        """Nothing is decoded yet."""
        self._result = result

    def __len__(self) -> int:
        return self._result.ntuples

    def column(self, column: int) -> list[bytes]:
        """A column of texts without NULL, as UTF-8."""
        value = self._result.get_value
        return [value(row, column) or b"" for row in range(self._result.ntuples)]

    def text(self, row: int, column: int) -> str | None:
        """One text."""
        value = self._result.get_value(row, column)
        return None if value is None else value.decode()

    def bytes(self, row: int, column: int) -> bytes:
        """One text as UTF-8; NULL reads as empty."""
        return self._result.get_value(row, column) or b""

    def number(self, row: int, column: int) -> int:
        """One integer or boolean; NULL reads as 0."""
        return int.from_bytes(self._result.get_value(row, column) or b"", signed=True)

    def numbers(self, column: int) -> list[int]:
        """A column of them."""
        return [self.number(row, column) for row in range(len(self))]


class Fetcher:
    """Runs the statements of a package's `sql`."""

    def __init__(self, pool: Pool, package: str = "eventstore_svc") -> None:
        """Each connection of the pool gets its session when it is first used."""
        self._pool = pool
        self._package = package
        self._sessions: WeakKeyDictionary[AsyncConnection, StatementSession] = WeakKeyDictionary()

    async def fetch(self, name: str, values: Mapping[str, Value]) -> Rows:
        """The answer of a statement that may be asked twice; raises Unavailable."""
        text, names = numbered(self._package, name)
        parameters = [_encoded(values[name]) for name in names]

        async def work(connection: AsyncConnection) -> Rows:
            session = self._sessions.get(connection)
            if session is None:
                session = self._sessions[connection] = StatementSession(connection)
            with session.watched():
                try:
                    if name not in session.prepared:
                        await session.prepare(name, text)
                    return Rows(await session.execute(name, parameters))
                except psycopg.OperationalError:
                    if session.closed:  # psycopg may not know that it broke; the pool gives out another for this one
                        await connection.close()
                    raise

        return await use(self._pool, work)


def _encoded(value: Value) -> bytes | None:
    """As PostgreSQL reads it as text."""
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.isoformat().encode()
    if isinstance(value, (str, int, UUID)):  # a boolean, too: `True` is one of the words that PostgreSQL takes
        return str(value).encode()
    return b"{" + b",".join([_element(element) for element in value]) + b"}"


def _element(value: str | None) -> bytes:
    if value is None:
        return b"NULL"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'.encode()
