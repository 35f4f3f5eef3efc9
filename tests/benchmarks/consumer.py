"""The consumer runtime: a handler that does nothing, and Postgres exactly once, beside the least that could be done."""

from __future__ import annotations

import statistics
import time
from collections.abc import Awaitable, Callable
from io import BytesIO
from typing import Any

import confluent_kafka
import uvloop
from confluent_kafka import TopicPartition
from fastavro import schemaless_reader
from psycopg import AsyncConnection

from eskit.consumer import Consumer, Event, Target, Tuning
from eskit.kafka.record import PREFIX, SCHEMA
from eskit.settings import Settings
from tests.benchmarks.measure import row, say
from tests.integration.consuming import PARTITIONS, Topic, offsets_service
from tests.services import own_log
from tests.stack import local_kafka, local_postgres

INSERT = "INSERT INTO effects (position, originator, payload) VALUES (%s, %s, %s)"
UNNEST = """
INSERT INTO effects (position, originator, payload)
SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[])"""
Rows = list[tuple[int, str, str]]
Way = Callable[[Rows, AsyncConnection[Any]], Awaitable[None]]
TABLE = "CREATE TABLE IF NOT EXISTS effects (position bigint, originator text, payload text)"
BATCH = 500
NAMES = ("bare", "ours", "lanes", "inserts", "exactly once", "unnest", "exactly once by unnest")


def run(rounds: int, events: int) -> None:
    """Each round has a topic of its own."""
    figures: dict[str, list[float]] = {name: [] for name in NAMES}
    with local_postgres() as postgres, local_kafka(say) as broker:
        for number in range(rounds):
            config = own_log(postgres.url, broker.bootstrap)
            Topic(config, broker).add_positions(range(1, events + 1))
            found = uvloop.run(_round(config, events))
            for name, seconds in found.items():
                figures[name].append(events / seconds)
            say(f"  round {number + 1} of {rounds}: " + ", ".join(f"{n} {events / s:,.0f}/s" for n, s in found.items()))
    median = {name: statistics.median(values) for name, values in figures.items()}
    say(row(f"{events} events", "events/s", "ratio", "goal"))
    say("|---|---|---|---|")
    say(row("consume + decode, no runtime", f"{median['bare']:,.0f}", "1", ""))
    say(row("a handler that does nothing", f"{median['ours']:,.0f}", f"{median['ours'] / median['bare']:.2f}", "0.6"))
    say(
        row(
            "the same, 64 originators at a time",
            f"{median['lanes']:,.0f}",
            f"{median['lanes'] / median['bare']:.2f}",
            "",
        )
    )
    for peer, name, text, goal in (
        ("inserts", "exactly once", "an INSERT for each row", "0.7"),
        ("unnest", "exactly once by unnest", "one INSERT … SELECT unnest for 500 rows", ""),
    ):
        say(row(f"{text}, no Kafka", f"{median[peer]:,.0f}", "1", ""))
        say(
            row("the same, exactly once from Kafka", f"{median[name]:,.0f}", f"{median[name] / median[peer]:.2f}", goal)
        )


async def _round(own: Settings, events: int) -> dict[str, float]:
    async with offsets_service(own) as config:
        found = {"bare": _bare(config, events)}
        found["ours"] = await _timed(config, Consumer("ours"), events)
        found["lanes"] = await _timed(config, Consumer("lanes", concurrency=64), events)
        for peer, name, way in (
            ("inserts", "exactly once", each_row),
            ("unnest", "exactly once by unnest", by_unnest),
        ):
            found[peer] = await _inserts(config, events, way)
            found[name] = await _timed(config, _once(config.schema(peer), way), events)
        return found


def _bare(config: Settings, events: int) -> float:
    options = {"bootstrap.servers": config.kafka_bootstrap, "group.id": "bare", "fetch.wait.max.ms": 100,
               "queued.max.messages.kbytes": 32 * 1024, "enable.auto.commit": False}  # fmt: skip
    reader = confluent_kafka.Consumer(options)
    reader.assign([TopicPartition(config.topic, number, 0) for number in range(PARTITIONS)])
    began, count = 0.0, 0
    while count < events:
        first = reader.poll(1)
        if first is None:
            continue
        began = began or time.perf_counter()
        for message in (first, *reader.consume(BATCH - 1, 0)):
            value: bytes = message.value() or b""
            schemaless_reader(BytesIO(value[len(PREFIX) :]), SCHEMA, None)
            count += 1
    seconds = time.perf_counter() - began
    reader.close()
    return seconds


async def _timed(config: Settings, consumer: Consumer, events: int) -> float:
    """From the first event's handler to the last commit."""
    began: list[float] = []

    def first() -> None:
        if not began:
            began.append(time.perf_counter())

    if not consumer.routes:
        consumer.on()(_nothing(first))
    else:
        consumer.on_assigned(_assigned(first))
    ended: list[float] = []

    @consumer.on_revoked
    async def last(partitions: set[int]) -> None:  # what is done is committed when this is called
        del partitions
        ended.append(time.perf_counter())

    await consumer.run(config, until="head")
    if consumer.stats.handled != events:
        raise AssertionError(f"{consumer.stats.handled} of {events} events were handled")
    return ended[0] - began[0]


def _nothing(first: Callable[[], None]) -> Callable[[Event], Awaitable[None]]:
    async def handle(event: Event) -> None:
        if event.position <= 1000:
            first()

    return handle


def _assigned(first: Callable[[], None]) -> Callable[[set[int]], Awaitable[None]]:
    async def assigned(partitions: set[int]) -> None:
        del partitions
        first()

    return assigned


async def each_row(rows: Rows, connection: AsyncConnection[Any]) -> None:
    """As anybody would write it."""
    await connection.cursor().executemany(INSERT, rows)


async def by_unnest(rows: Rows, connection: AsyncConnection[Any]) -> None:
    """The fastest without COPY."""
    await connection.execute(UNNEST, tuple(list(column) for column in zip(*rows, strict=True)))


def _once(schema: str, way: Way) -> Consumer:
    consumer = Consumer(schema, transaction=Target(schema), tuning=Tuning(batch_events=BATCH))

    @consumer.on_schema
    async def tables(connection: AsyncConnection[Any]) -> None:
        await connection.execute(TABLE)

    @consumer.on_batch()
    async def insert(events: list[Event], connection: AsyncConnection[Any]) -> None:
        await way([(e.position, e.originator.id, bytes(e.payload).decode()) for e in events], connection)

    return consumer


async def _inserts(config: Settings, events: int, way: Way) -> float:
    """The same rows in the same statements and transactions, one after the other."""
    rows = [(n, f"thing-{n % 100}", f'{{"n": {n}}}') for n in range(1, events + 1)]
    async with await AsyncConnection.connect(config.database_url, autocommit=True) as connection:
        await connection.execute("CREATE SCHEMA IF NOT EXISTS plain")
        await connection.execute("SET search_path = plain")
        await connection.execute("DROP TABLE IF EXISTS effects")
        await connection.execute(TABLE)
        began = time.perf_counter()
        for start in range(0, events, BATCH):
            async with connection.transaction():
                await way(rows[start : start + BATCH], connection)
        return time.perf_counter() - began
