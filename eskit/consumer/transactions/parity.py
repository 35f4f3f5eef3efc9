"""Whether two schemas hold the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import AsyncConnection, sql
from psycopg.rows import tuple_row

from eskit.consumer.transactions.target import PACKAGE
from eskit.postgres.statements import statement

RELATIONS = statement(PACKAGE, "relations")
CONTENTS = sql.SQL(statement(PACKAGE, "contents"))

# Of a table the names of columns that do not count.
Without = Mapping[str, Sequence[str]]


async def differences(connection: AsyncConnection[Any], one: str, other: str, without: Without) -> dict[str, str]:
    """Of each table or view that is not the same in both: what differs. Raises psycopg's errors."""
    left, right = await _relations(connection, one), await _relations(connection, other)
    found: dict[str, str] = {}
    for name in sorted(left.keys() | right.keys()):
        if name not in left or name not in right:
            found[name] = f"missing in {other if name in left else one}"
        elif left[name] or right[name]:
            columns = list(without.get(name, []))
            was = await _contents(connection, one, name, columns)
            now = await _contents(connection, other, name, columns)
            if was[0] != now[0]:
                found[name] = f"{was[0]} rows in {one}, {now[0]} in {other}"
            elif was != now:
                found[name] = f"{was[0]} rows in both, with other contents"
    return found


async def analyze(connection: AsyncConnection[Any], schema: str) -> None:
    """Let the planner know tables that have only now been filled."""
    for name, is_table in (await _relations(connection, schema)).items():
        if is_table:
            await connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(schema, name)))


async def _relations(connection: AsyncConnection[Any], schema: str) -> dict[str, bool]:
    cursor = await connection.cursor(row_factory=tuple_row).execute(RELATIONS, {"schema": schema})
    return dict(await cursor.fetchall())


async def _contents(connection: AsyncConnection[Any], schema: str, table: str, without: list[str]) -> tuple[Any, ...]:
    text = CONTENTS.format(table=sql.Identifier(schema, table))
    cursor = await connection.cursor(row_factory=tuple_row).execute(text, {"without": without})
    row = await cursor.fetchone()
    return row or ()
