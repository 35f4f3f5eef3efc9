"""The transaction in which one view takes the place of another."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import psycopg
from psycopg import AsyncConnection, sql
from psycopg.rows import tuple_row

from eskit.client.letters import DeadLetters
from eskit.consumer.transactions.effects import DRAIN
from eskit.consumer.transactions.following import Following
from eskit.consumer.transactions.parity import Without, differences
from eskit.consumer.transactions.standing import Stand, Way, held
from eskit.consumer.transactions.target import PACKAGE, View
from eskit.errors import Conflict, EskitError, Fenced
from eskit.postgres.boundary import boundary
from eskit.postgres.statements import statement

SWITCHING = statement(PACKAGE, "switching")
LOOK_INTO = statement(PACKAGE, "look_into")
STRANGERS = statement(PACKAGE, "strangers")
DEPENDENTS = statement(PACKAGE, "dependents")
OLD_SCHEMA = statement(PACKAGE, "old_schema")
FENCE = statement(PACKAGE, "fence")
TAKE_OVER = statement(PACKAGE, "take_over")
GRANTS = statement(PACKAGE, "grants")


class Choices(NamedTuple):
    """What a switch shall accept. `wait_s`: for the first to come up to the copy; `hold_s`: most that it is held up."""

    force: bool = False
    expect_different: Sequence[str] = ()
    without: Without = MappingProxyType({})
    wait_s: float = 30.0
    hold_s: float = 60.0


class Switched(NamedTuple):
    """`old_schema`: where the first view is now. `different`: tables that were not the same, and how; None: unknown."""

    old_schema: str
    different: Mapping[str, str] | None


class Stale(Exception):
    """The first has claimed a partition after we had claimed the copy's: the copy's claim must be the newer one."""


class Exchange:
    """Everything or nothing. The first's members wait from the first lock on, as soon as they want to commit."""

    def __init__(self, views: tuple[View, View], following: Following, letters: DeadLetters, way: Way) -> None:
        """`following`: owns the copy."""
        self._first, self._copy = views
        self._following = following
        self._letters = letters
        self._way = way

    async def run(self, choices: Choices) -> Switched:
        """Raises Conflict, Fenced, Stale, Unavailable. Nothing has changed then, unless a commit's answer was lost."""
        try:
            with boundary():
                async with self._first.pool.connection() as connection, connection.transaction():
                    # The commit itself is outside: it is not to be broken off.
                    async with asyncio.timeout(choices.hold_s):
                        return await self._inside(connection, choices)
        except TimeoutError:
            message = f"not done within {choices.hold_s:g} s, and the first is not held up longer; nothing has changed"
            raise EskitError(message) from None

    async def _inside(self, connection: AsyncConnection[Any], choices: Choices) -> Switched:
        await connection.execute(SWITCHING, {"hold_ms": round(choices.hold_s * 1000)})
        first = await held(connection, self._first)
        self._require_newer(first)
        await self._require_alone(connection, force=choices.force)
        await self._following.up_to(self._way.offsets(first))
        different = await self._compared(connection, first, choices.without)
        _require_same(different, choices)
        try:
            return Switched(await self._replace(connection), different)
        except psycopg.errors.InsufficientPrivilege as error:
            message = "the view's login must own both schemas, and have the right CREATE on the database"
            raise Conflict(message) from error

    def _require_newer(self, first: Mapping[int, Stand]) -> None:
        """A newer epoch than the first's: no member of it has that, and no reset it has seen counts a second time."""
        epochs = self._following.epochs
        if any(number in epochs and stand.epoch >= epochs[number] for number, stand in first.items()):
            raise Stale

    async def _require_alone(self, connection: AsyncConnection[Any], *, force: bool) -> None:
        names = {"consumer": self._first.consumer, "topic": self._first.topic}
        if others := await _column(connection, STRANGERS, names):
            message = f"schema {self._first.schema} is also the view of {', '.join(others)}: that would be lost"
            raise Conflict(message)
        tied = await _column(connection, DEPENDENTS, {"schema": self._first.schema})
        if tied and not force:
            message = f"tied to the present tables, and would go on with those: {', '.join(tied)}; drop them first"
            raise Conflict(message)

    async def _compared(
        self, connection: AsyncConnection[Any], first: Mapping[int, Stand], without: Without
    ) -> dict[str, str] | None:
        await connection.execute(LOOK_INTO, {"schema": self._copy.schema})
        copy = await held(connection, self._copy)
        if {number: stand.epoch for number, stand in copy.items()} != self._following.epochs:
            raise Fenced(f"somebody else runs {self._copy.consumer}: stop that first", epoch=0)
        if self._way.offsets(first) != self._way.offsets(copy):
            return None
        return await differences(connection, self._first.schema, self._copy.schema, without)

    async def _replace(self, connection: AsyncConnection[Any]) -> str:
        """Names are the last thing: until the commit, everybody sees the old ones."""
        where = {"topic": self._first.topic}
        await connection.execute(LOOK_INTO, {"schema": self._first.schema})
        for number, epoch in self._following.epochs.items():
            await connection.execute(FENCE, self._first.at(number, epoch=epoch))
        await connection.execute(LOOK_INTO, {"schema": self._copy.schema})
        await connection.execute(TAKE_OVER, {"consumer": self._copy.consumer, "into": self._first.consumer, **where})
        await self._drain(connection)
        for grant in await _column(connection, GRANTS, {"schema": self._first.schema, "into": self._copy.schema}):
            await connection.execute(grant.encode())
        [old] = await _column(connection, OLD_SCHEMA, {"schema": self._first.schema})
        await _rename(connection, self._first.schema, old)
        await _rename(connection, self._copy.schema, self._first.schema)
        return old

    async def _drain(self, connection: AsyncConnection[Any]) -> None:
        """What the first has set aside has had its effect in the copy: when it comes back, it is done already."""
        done, after = self._following.offsets, None
        while True:
            page = await self._letters.letters(self._first.consumer, limit=1000, topic=self._first.topic, after=after)
            for letter in page.letters:
                if letter.offset < done[letter.partition]:
                    await connection.execute(DRAIN, self._first.at(letter.partition, record_offset=letter.offset))
            if (after := page.next) is None:
                return


def _require_same(different: Mapping[str, str] | None, choices: Choices) -> None:
    if choices.force:
        return
    if different is None:
        raise Conflict("the first is behind its copy, so they cannot be compared")
    if found := {name: what for name, what in different.items() if name not in choices.expect_different}:
        listed = "; ".join(f"{name}: {what}" for name, what in found.items())
        raise Conflict(f"the copy is different ({listed}); nothing has changed", tables=list(found))


async def _rename(connection: AsyncConnection[Any], name: str, into: str) -> None:
    text = sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(sql.Identifier(name), sql.Identifier(into))
    await connection.execute(text)


async def _column(connection: AsyncConnection[Any], text: Any, values: Mapping[str, Any]) -> list[str]:
    cursor = await connection.cursor(row_factory=tuple_row).execute(text, values)
    return [row[0] for row in await cursor.fetchall()]
