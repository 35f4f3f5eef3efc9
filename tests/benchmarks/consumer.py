"""The consumer runtime: a handler that does nothing, and Postgres exactly once, beside the least that could be done."""

from __future__ import annotations

import statistics
import time
from collections.abc import Awaitable, Callable
from io import BytesIO
from typing import Any

import confluent_kafka
import psycopg
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

INSERT = """
INSERT INTO effects (position, originator, payload)
SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[])"""
TABLE = "CREATE TABLE IF NOT EXISTS effects (position bigint, originator text, payload text)"
BATCH = 500


def run(rounds: int, events: int) -> None:
    """Each round has a topic of its own."""
    figures: dict[str, list[float]] = {name: [] for name in ("bare", "ours", "lanes", "inserts", "exactly once")}
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
    say(row("the same rows inserted, no Kafka", f"{median['inserts']:,.0f}", "1", ""))
    once = median["exactly once"]
    say(row("exactly once, in batches", f"{once:,.0f}", f"{once / median['inserts']:.2f}", "0.7"))


async def _round(own: Settings, events: int) -> dict[str, float]:
    async with offsets_service(own) as config:
        found = {"bare": _bare(config, events)}
        found["ours"] = await _timed(config, Consumer("ours"), events)
        found["lanes"] = await _timed(config, Consumer("lanes", concurrency=64), events)
        found["inserts"] = _inserts(config, events)
        found["exactly once"] = await _timed(config, _once(config.schema("once")), events)
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


def _once(schema: str) -> Consumer:
    consumer = Consumer("once", transaction=Target(schema), tuning=Tuning(batch_events=BATCH))

    @consumer.on_schema
    async def tables(connection: AsyncConnection[Any]) -> None:
        await connection.execute(TABLE)

    @consumer.on_batch()
    async def insert(events: list[Event], connection: AsyncConnection[Any]) -> None:
        await connection.execute(INSERT, _columns([(e.position, e.originator.id, e.payload) for e in events]))

    return consumer


def _columns(rows: list[tuple[int, str, Any]]) -> tuple[list[int], list[str], list[str]]:
    return [r[0] for r in rows], [r[1] for r in rows], [bytes(r[2]).decode() for r in rows]


def _inserts(config: Settings, events: int) -> float:
    """The same rows in the same statements and transactions, one after the other."""
    rows = [(n, f"thing-{n % 100}", b'{"n": %d}' % n) for n in range(1, events + 1)]
    with psycopg.connect(config.database_url, autocommit=True, options="-c search_path=public") as connection:
        connection.execute("DROP TABLE IF EXISTS effects")
        connection.execute(TABLE)
        began = time.perf_counter()
        for start in range(0, events, BATCH):
            with connection.transaction():
                connection.execute(INSERT, _columns(rows[start : start + BATCH]))
        return time.perf_counter() - began
