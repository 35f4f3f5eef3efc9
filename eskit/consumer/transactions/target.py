"""The database of a view, kept exactly once: its connections, and the tables of how far its consumers have come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import AsyncConnection, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import tuple_row
from psycopg_pool import AsyncConnectionPool

from eskit import names
from eskit.consumer.delivery.progress import Progress
from eskit.errors import Fenced, SettingsError
from eskit.offsets import Claim
from eskit.postgres.boundary import boundary
from eskit.postgres.statements import statement
from eskit.settings import Settings

UserPool = AsyncConnectionPool[AsyncConnection[Any]]
Prepare = Callable[[AsyncConnection[Any]], Awaitable[None]]

PACKAGE = "eskit.consumer.transactions"
TABLES = statement(PACKAGE, "tables")
BEGIN = statement(PACKAGE, "begin")
ADVANCE = statement(PACKAGE, "advance")


@dataclass(frozen=True)
class Target:
    """A view in a schema of its own. The schema is made at the first start, and handlers' connections see it alone.

    `url`: a libpq URL; without it ESKIT_TARGET_URL, or else ESKIT_DATABASE_URL.
    """

    schema: str
    url: str = ""


class View:
    """A target that is open."""

    def __init__(self, pool: UserPool, schema: str, consumer: str, topic: str) -> None:
        """Not for callers: use `open_view`. `schema`: to be made where it is missing; empty: the pool's own."""
        self.pool = pool
        self.schema = schema
        self.consumer = consumer
        self.topic = topic

    def at(self, partition: int, **more: Any) -> dict[str, Any]:
        """The parameters that name a partition's row."""
        return {"consumer": self.consumer, "topic": self.topic, "partition": partition, **more}

    async def prepare(self, steps: Sequence[Prepare]) -> None:
        """Make what is missing: the schema, our tables, the user's; one process at a time. Raises psycopg's errors."""
        async with self.pool.connection() as connection, connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(hashtext('eskit view'))")
            cursor = connection.cursor(row_factory=tuple_row)
            # Not IF NOT EXISTS: that asks for the right to create also where there is nothing to do.
            await cursor.execute("SELECT to_regnamespace(quote_ident(%s)) IS NULL", (self.schema or "public",))
            if self.schema and await cursor.fetchone() == (True,):
                await cursor.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(self.schema)))
            await cursor.execute("SELECT to_regclass('eskit_progress') IS NULL OR to_regclass('eskit_drained') IS NULL")
            if await cursor.fetchone() == (True,):
                await connection.execute(TABLES)
            for step in steps:
                await step(connection)

    async def begin(self, claim: Claim) -> Claim:
        """Let the claim reach the view; the claim with the view's own offset. Raises Fenced, Unavailable."""
        values = self.at(
            claim.partition, epoch=claim.epoch, reset=claim.reset, offset=claim.offset, position=claim.position
        )
        with boundary():
            async with self.pool.connection() as connection, connection.transaction():
                cursor = connection.cursor(row_factory=tuple_row)
                row = await (await cursor.execute(BEGIN, values)).fetchone()
        if row is None:
            raise Fenced(f"{self.topic} {claim.partition}: a newer claim has reached the view already", epoch=0)
        return Claim(claim.partition, claim.epoch, row[0], row[1], claim.reset)

    async def begin_at(self, progress: Progress) -> None:
        """Keep where a partition begins of which the view knows nothing yet. Raises Fenced, Unavailable."""
        values = self.at(
            progress.partition, epoch=progress.epoch, next_offset=progress.next_offset, position=None, before=None
        )
        with boundary():
            async with self.pool.connection() as connection:
                moved = await connection.execute(ADVANCE, values)
        if moved.rowcount != 1:
            raise Fenced(f"{self.topic} {progress.partition}: a newer claim has reached the view already", epoch=0)


@asynccontextmanager
async def open_view(target: Target | UserPool, settings: Settings, consumer: str) -> AsyncIterator[View]:
    """Connections to a view; does not wait for the database. Raises SettingsError for a wrong target."""
    if not isinstance(target, Target):
        if not target.closed:
            yield View(target, "", consumer, settings.topic)
            return
        pool, schema = target, ""
    else:
        schema = target.schema
        info = _conninfo(target, settings, consumer)
        pool = AsyncConnectionPool(info, kwargs={"autocommit": True}, min_size=1, max_size=settings.pool_size,
                                   timeout=settings.pool_wait_s, reconnect_timeout=3.0, open=False)  # fmt: skip
    await pool.open(wait=False)
    try:
        yield View(pool, schema, consumer, settings.topic)
    finally:
        await pool.close(timeout=settings.shutdown_s)


def _conninfo(target: Target, settings: Settings, consumer: str) -> str:
    schema = names.schema(target.schema)
    url = target.url or settings.target_url or settings.require("database_url").database_url
    try:
        given = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise SettingsError("the target is not a PostgreSQL URL", field="ESKIT_TARGET_URL") from None
    options = f"{given.get('options') or ''} -c search_path={schema}".strip()
    ours = {"connect_timeout": 3, "keepalives_idle": 10, "keepalives_interval": 3, "keepalives_count": 3,
            "tcp_user_timeout": 15_000, "application_name": f"eskit {consumer}"}  # fmt: skip
    merged: dict[str, Any] = {**ours, **given, "options": options}
    return make_conninfo("", **merged)
