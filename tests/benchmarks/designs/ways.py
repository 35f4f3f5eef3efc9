"""Ways to hand a batch to the database: today's twelve binary arrays, and others."""

from __future__ import annotations

import statistics
import struct
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
import psycopg
import uvloop
from psycopg import AsyncConnection
from psycopg.adapt import Dumper
from psycopg.pq import Format
from psycopg_pool import AsyncConnectionPool

from eskit.postgres.statements import statement
from eventstore_svc.store import NewEvent
from eventstore_svc.store.batch import PARAMETERS, parameters
from eventstore_svc.store.statement_session import StatementSession
from tests.benchmarks.designs.logs import events_for, filled_server
from tests.benchmarks.measure import row, say

Way = Callable[[Sequence[NewEvent]], Awaitable[None]]

APPEND = statement("eventstore_svc", "append")
BINARY = [Format.BINARY] * PARAMETERS
OPTIONS = "-c search_path=eventstore,pg_temp -c jit=off"
STAGED = "a int, s int, t int, w int, i uuid, n text, p text, m text, o timestamptz, k text, r text"
OTHERS = f"""
CREATE FUNCTION append_json(doc json, OUT failed integer[], OUT positions bigint[], OUT versions integer[])
LANGUAGE sql AS $$
    SELECT b.* FROM (
        SELECT array_agg(a) AS a, array_agg(s) AS s, array_agg(t) AS t, array_agg(w) AS w, array_agg(i) AS i,
               array_agg(n) AS n, array_agg(p::text) AS p, array_agg(m::text) AS m, array_agg(o) AS o
          FROM json_to_recordset(doc -> 'events')
               AS x (a int, s int, t int, w int, i uuid, n text, p json, m json, o timestamptz)) AS e,
        (SELECT array_agg(k) AS k, array_agg(r) AS r
           FROM json_to_recordset(doc -> 'streams') AS x (k text, r text)) AS s,
        append_batch(e.a, e.s, e.t, e.w, e.i, e.n, e.p, e.m, e.o, s.k, s.r, '{{}}') AS b
$$;
CREATE UNLOGGED TABLE staged_unlogged ({STAGED});
"""
# Names of tables are looked up when it runs: one of them is temporary.
STAGING = """
CREATE FUNCTION append_{table}(OUT failed integer[], OUT positions bigint[], OUT versions integer[])
LANGUAGE plpgsql AS $$ BEGIN
    SELECT b.* INTO failed, positions, versions FROM (
        SELECT array_agg(a) AS a, array_agg(s) AS s, array_agg(t) AS t, array_agg(w) AS w, array_agg(i) AS i,
               array_agg(n) AS n, array_agg(p) AS p, array_agg(m) AS m, array_agg(o) AS o FROM {table}) AS e,
        (SELECT array_agg(k ORDER BY t) AS k, array_agg(r ORDER BY t) AS r
           FROM (SELECT DISTINCT ON (t) t, k, r FROM {table} ORDER BY t) AS d) AS s,
        append_batch(e.a, e.s, e.t, e.w, e.i, e.n, e.p, e.m, e.o, s.k, s.r, '{{}}') AS b;
    {empty};
END $$;
"""


class Ready(bytes):
    """A parameter that is in PostgreSQL's binary form already."""


class _ReadyDumper(Dumper):
    format = Format.BINARY
    oid = 0

    def dump(self, obj: bytes) -> bytes:
        return obj


async def arrays(session: StatementSession, events: Sequence[NewEvent]) -> None:
    """Today's."""
    await session.execute("append", parameters([[event] for event in events]), BINARY)


async def document(session: StatementSession, events: Sequence[NewEvent]) -> None:
    """One JSON document; payloads are put into it as they came."""
    lines = [b'{"a":%d,"s":1,"t":%d,"w":%d,"i":"%b","n":"%b","p":%b,"m":%b,"o":null}'
             % (n, n, e.wanted, str(e.event_id).encode(), e.type.action.encode(), e.payload, e.metadata)
             for n, e in enumerate(events, 1)]  # fmt: skip
    streams = msgspec.json.encode([{"k": e.type.entity_type, "r": e.originator_id} for e in events])
    text = b'{"events":[%b],"streams":%b}' % (b",".join(lines), streams)
    await session.execute("append", [text], BINARY[:1])


async def lists(connection: AsyncConnection, events: Sequence[NewEvent]) -> None:
    """Python's lists, through psycopg's adaptation."""
    numbers, nothing = list(range(1, len(events) + 1)), [None] * len(events)
    columns: list[tuple[str, list[Any]]] = [
        ("int[]", numbers),
        ("int[]", [1] * len(events)),
        ("int[]", numbers),
        ("int[]", [event.wanted for event in events]),
        ("uuid[]", [event.event_id for event in events]),
        ("text[]", [event.type.action for event in events]),
        ("text[]", [event.payload.decode() for event in events]),
        ("text[]", [event.metadata.decode() for event in events]),
        ("timestamptz[]", nothing),
        ("text[]", [event.type.entity_type for event in events]),
        ("text[]", [event.originator_id for event in events]),
        ("uuid[]", []),
    ]
    arguments = ", ".join(f"%b::{kind}" for kind, _ in columns)
    query = f"SELECT failed, positions, versions FROM append_batch({arguments})"
    values = [column for _, column in columns]
    await (await connection.cursor(binary=True).execute(query, values, prepare=True)).fetchone()


async def pooled(pool: AsyncConnectionPool[AsyncConnection], events: Sequence[NewEvent]) -> None:
    """The same arrays as today's through a cursor, on a connection of the pool."""
    values = [Ready(value) for value in parameters([[event] for event in events])]
    query = "SELECT failed, positions, versions FROM append_batch(" + ", ".join(["%b"] * PARAMETERS) + ")"
    async with pool.connection() as connection:
        await (await connection.cursor(binary=True).execute(query, values, prepare=True)).fetchone()


async def copied(connection: AsyncConnection, table: str, events: Sequence[NewEvent]) -> None:
    """COPY into a table, then the function on that table, in one transaction."""
    async with connection.transaction(), connection.cursor(binary=True) as cursor:
        async with cursor.copy(f"COPY {table} FROM STDIN (FORMAT binary)") as copy:
            await copy.write(rows(events))
        await (await cursor.execute(f"SELECT * FROM append_{table}()", prepare=True)).fetchone()


def rows(events: Sequence[NewEvent]) -> bytes:
    """The stream of COPY: a header, the rows, a mark."""
    pieces = [b"PGCOPY\n\xff\r\n\0" + bytes(8)]
    for n, e in enumerate(events, 1):
        action, kind, originator = e.type.action.encode(), e.type.entity_type.encode(), e.originator_id.encode()
        pieces += [
            struct.pack(">hiiiiiiiii16s", 11, 4, n, 4, 1, 4, n, 4, e.wanted, 16, e.event_id.bytes),
            *(struct.pack(">i", len(text)) + text for text in (action, e.payload, e.metadata)),
            b"\xff\xff\xff\xff",
            *(struct.pack(">i", len(text)) + text for text in (kind, originator)),
        ]
    pieces.append(b"\xff\xff")
    return b"".join(pieces)


async def ways(url: str, pool: AsyncConnectionPool[AsyncConnection]) -> dict[str, Way]:
    """Each with a session of its own."""

    async def opened(options: str = "") -> AsyncConnection:
        return await AsyncConnection.connect(url, options=f"{OPTIONS} {options}", autocommit=True)

    session, document_session = StatementSession(await opened()), StatementSession(await opened())
    for each, text in ((session, APPEND), (document_session, "SELECT * FROM append_json($1)")):
        each.watch()
        await each.prepare("append", text)
    listed, temporary, unlogged = await opened(), await opened(), await opened()
    await temporary.execute(f"CREATE TEMPORARY TABLE staged_temporary ({STAGED}) ON COMMIT DELETE ROWS")
    return {
        "binary arrays": lambda events: arrays(session, events),
        "one JSON document": lambda events: document(document_session, events),
        "lists through psycopg": lambda events: lists(listed, events),
        "arrays, cursor of the pool": lambda events: pooled(pool, events),
        "COPY into a temporary table": lambda events: copied(temporary, "staged_temporary", events),
        "COPY into an unlogged table": lambda events: copied(unlogged, "staged_unlogged", events),
    }


def run(rounds: int, events: int) -> None:
    """Sizes of 1, 64 and 1,000 events."""
    with filled_server(events, autovacuum="on") as server:
        url = server.url_of("filled")
        with psycopg.connect(url, options=OPTIONS, autocommit=True) as owner:
            # A temporary table empties itself at the commit. To truncate the other takes longer than to delete rows.
            temporary = STAGING.format(table="staged_temporary", empty="NULL")
            unlogged = STAGING.format(table="staged_unlogged", empty="DELETE FROM staged_unlogged")
            for text in (OTHERS, temporary, unlogged):
                owner.execute(text)
        uvloop.run(_run(url, rounds))


async def _run(url: str, rounds: int) -> None:
    async def configure(connection: AsyncConnection) -> None:
        connection.adapters.register_dumper(Ready, _ReadyDumper)

    options = {"options": OPTIONS, "autocommit": True}
    async with AsyncConnectionPool(url, kwargs=options, configure=configure, min_size=1, open=False) as pool:
        every = await ways(url, pool)
        for size, batches in ((1, 100), (64, 30), (1000, 4)):
            found: dict[str, list[float]] = {name: [] for name in every}
            used: dict[str, list[float]] = {name: [] for name in every}
            for number in range(rounds):
                for name in turned(list(every), number):
                    prepared = [events_for(size) for _ in range(batches)]
                    times, worked = [], time.process_time()
                    for batch in prepared:
                        started = time.perf_counter()
                        await every[name](batch)
                        times.append(time.perf_counter() - started)
                    used[name].append(1e6 * (time.process_time() - worked) / (size * batches))
                    found[name].append(1e6 * statistics.median(times) / size)
            table(f"{size} events a batch", found)
            table(f"{size} events a batch, processor time of the client", used)


def turned(names: list[str], number: int) -> list[str]:
    """Each round begins with another one."""
    return names[number % len(names) :] + names[: number % len(names)]


def table(title: str, found: dict[str, list[float]]) -> None:
    """Medians of µs an event, and of each round's ratio to the first."""
    say("\n" + row(title, "µs an event", "ratio"))
    say("|---|---|---|")
    base = next(iter(found.values()))
    for name, values in found.items():
        ratio = statistics.median(mine / its for mine, its in zip(values, base, strict=True))
        say(row(name, f"{statistics.median(values):.1f}", f"{ratio:.2f}"))
    say(f"noise: the first line's rounds lie within {min(base):.1f} and {max(base):.1f} µs")
