"""Relay drain of a backlog, against encoding and producing the same events without Postgres."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

import uvloop
from prometheus_client import CollectorRegistry

from eskit.selectors import Selector
from eskit.settings import Settings
from eventstore_svc.relay import topic
from eventstore_svc.relay.cursor import Cursor
from eventstore_svc.relay.publisher import Publisher
from eventstore_svc.relay.relay import Relay
from eventstore_svc.relay.status import Status
from eventstore_svc.store import Head, NewEvent, open_event_store
from tests.benchmarks.load import PAYLOAD
from tests.benchmarks.measure import row, say
from tests.integration.appending import new_event
from tests.services import own_log, until
from tests.stack import local_kafka, local_postgres


def run(rounds: int, events: int) -> None:
    """Each round has a log and two topics of its own."""
    drained: list[float] = []
    limits: list[float] = []
    with local_postgres() as postgres, local_kafka(say) as broker:
        for number in range(rounds):
            config = own_log(postgres.url, broker.bootstrap)
            limit, drain = uvloop.run(_round(config, events))
            drained.append(drain)
            limits.append(limit)
            say(f"  round {number + 1} of {rounds}: relay {drain:.0f}/s, encode + produce {limit:.0f}/s")
    ours, limit = statistics.median(drained), statistics.median(limits)
    say(row(f"relay, {events} events", "events/s"))
    say("|---|---|")
    say(row("encode + produce, no Postgres", f"{limit:.0f}"))
    say(row("relay drain", f"{ours:.0f}"))
    say(f"\nratio {ours / limit:.2f}; goal: at least 0.5")


async def _round(config: Settings, events: int) -> tuple[float, float]:
    limit_config = Settings(**{**_fields(config), "log": config.log + "x"})
    async with open_event_store(config, "benchmark") as store:
        await _fill(store.append, events)
        rows = [
            event for first in range(1, events, 1000) for event in (await store.log(first, 1000, Selector())).events
        ]
        topic.create(limit_config)
        limit = _produce(limit_config, rows)
        return limit, await _drain(config, store.head, events)


def _fields(config: Settings) -> dict[str, Any]:
    return {name: getattr(config, name) for name in Settings.__struct_fields__}


async def _fill(append: Any, events: int) -> None:
    todo = iter(range(0, events, 100))

    async def write() -> None:
        for first in todo:
            batch: list[NewEvent] = [
                new_event(f"user-{n % 20_000}", payload=PAYLOAD.encode(), kind="User.Updated")
                for n in range(first, first + 100)
            ]
            await append(batch)

    await asyncio.gather(*(write() for _ in range(8)))


def _produce(config: Settings, rows: list[Any]) -> float:
    cursor = Cursor([0] * config.topic_partitions, 0, len(rows))
    publisher = Publisher(config, [-1] * config.topic_partitions, cursor, config.max_event_bytes)
    started = time.perf_counter()
    for first in range(0, len(rows), 1000):
        while cursor.outstanding > config.relay_window:
            publisher.serve(0.01)
        publisher.send(rows[first : first + 1000])
    while cursor.outstanding:
        publisher.serve(0.01)
    rate = len(rows) / (time.perf_counter() - started)
    publisher.close(1.0)
    return rate


async def _published(head: Callable[[], Awaitable[Head]], position: int) -> None:
    async def there() -> bool:
        return (await head()).published >= position

    await until(there, 300)


async def _drain(config: Settings, head: Callable[[], Awaitable[Head]], events: int) -> float:
    relaying = asyncio.create_task(Relay(config, Status(CollectorRegistry())).run())
    await _published(head, 1)
    begun, started = (await head()).published, time.perf_counter()
    await _published(head, events)
    rate = (events - begun) / (time.perf_counter() - started)
    relaying.cancel()
    await asyncio.gather(relaying, return_exceptions=True)
    return rate
