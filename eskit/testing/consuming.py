"""A consumer on a log in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace

import msgspec
from psycopg import sql

from eskit import times
from eskit.consumer.consumer import Consumer
from eskit.consumer.errors import HandlerStopped
from eskit.consumer.means import Means
from eskit.consumer.transactions.target import Target, View, open_view
from eskit.events import Event, Stored
from eskit.kafka import record
from eskit.kafka.seeking import Place, Position
from eskit.settings import Settings, load
from eskit.testing.group import Member
from eskit.testing.log import Log

TOPIC = Settings().topic


async def consume(consumer: Consumer, log: Log, settings: Settings | None = None) -> None:
    """Let it do what is in the log, from where it stopped the last time; returns when it is done or set aside.

    A consumer with `transaction=Target("x")` keeps its view in the schema `x_test`, made anew for each log: a test must
    not touch the view of a stack that runs. `settings`: where its database is; those of the environment by default.
    Raises what ends a consumer: HandlerStopped, an error of a hook.
    """
    async with _view(consumer, log, settings or load()) as view:
        await consumer.run_on(memory_means(consumer, log), TOPIC, view=view, until="head")


@asynccontextmanager
async def _view(consumer: Consumer, log: Log, settings: Settings) -> AsyncIterator[View | None]:
    if not isinstance(consumer.transaction, Target):
        async with consumer.view(settings) as view:
            yield view
        return
    target = replace(consumer.transaction, schema=f"{consumer.transaction.schema}_test")
    async with open_view(target, settings, consumer.name) as view:
        if consumer.name not in log.views:
            log.views.add(consumer.name)
            async with view.pool.connection() as connection:
                drop = sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(target.schema))
                await connection.execute(drop)
        yield view


async def replay(consumer: Consumer, events: Iterable[Event]) -> None:
    """As Consumer.replay says."""
    log = Log()
    for event in events:
        log.publish(_stored(event))
    await consume(consumer, log)
    if letters := log.letters.of(consumer.name):
        failed = next(letter for letter in letters if letter.failure is not None)
        kind, text = failed.failure[:2] if failed.failure else ("", "")
        raise HandlerStopped(f"event {failed.item.position} ({failed.item.key}) was set aside: {kind}: {text}")


def _stored(event: Event) -> Stored:
    return Stored(
        position=event.position,
        event_id=str(event.event_id),
        entity_type=event.entity_type,
        originator_id=event.originator.id,
        version=event.originator.version,
        action=event.action,
        payload=bytes(event.payload).decode(),
        metadata=msgspec.json.encode(event.metadata).decode(),
        occurred_on_us=times.micros(event.occurred_on),
        recorded_at_us=times.micros(event.recorded_at),
    )


def memory_means(consumer: Consumer, log: Log) -> Means:
    """What a run works with, when its log is in memory."""

    async def seek(partitions: Iterable[int], place: Place) -> dict[int, int]:
        return {number: _offset(log, number, place) for number in partitions}

    async def identify() -> None:
        return None

    name = consumer.name
    return Means(
        log.offsets,
        lambda claim: log.letters.at(name, claim.partition, consumer.routes),
        lambda callbacks: Member(log, name, callbacks),
        seek,
        identify,
    )


def _offset(log: Log, number: int, place: Place) -> int:
    messages = log.partitions[number]
    if isinstance(place, str):
        return 0 if place == "beginning" else len(messages)
    for message in messages:
        event = record.decode(message.value())
        if event.position >= place.number if isinstance(place, Position) else event.recorded_at >= place:
            return message.offset()
    return len(messages)
