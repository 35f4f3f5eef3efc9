"""A relay process and its topic, for tests."""

from __future__ import annotations

import asyncio
from functools import partial

from eskit.settings import Settings
from eventstore_svc.store import EventStore
from tests.integration.appending import load
from tests.services import ServiceProcess, processes, until
from tests.topic import Read, read_topic

RELAY = "eventstore_svc.relay"


def relay(config: Settings, **environ: str) -> ServiceProcess:
    """A relay process whose lease is short, so that tests need not wait for it."""
    return ServiceProcess(RELAY, config, "relay_port", **({"ESKIT_RELAY_LEASE_S": "1"} | environ))


def has_begun(process: ServiceProcess, times: int) -> bool:
    """Whether a relay has come to publishing that often, over all its lives."""
    return process.output().count('"event": "going on"') >= times


async def published(store: EventStore, timeout_s: float = 120.0) -> int:
    """Wait until the topic has the whole log; its head."""

    async def all_there() -> bool:
        head = await store.head()
        return head.published == head.position

    await until(all_there, timeout_s)
    return (await store.head()).position


async def publish(config: Settings, store: EventStore, events: int) -> None:
    """Append so many events, and let a relay publish them and stop in order."""
    process = relay(config)
    with processes(process):
        await process.start().ready()
        await load(store, events)
        await published(store)
        assert process.stop() == 0


async def topic_is_log(config: Settings, store: EventStore) -> Read:
    """Nothing lost, nothing doubled after dropping what was seen, nothing out of order."""
    head = await published(store)
    read = await asyncio.to_thread(read_topic, config)
    assert [event.position for event in read.events] == list(range(1, head + 1))
    return read


async def is_active(process: ServiceProcess) -> bool:
    """Whether this relay says that it is the active one."""
    text = process.output()
    return text.count('"event": "active"') > text.count('"event": "starting again"')


async def until_active(process: ServiceProcess, store: EventStore) -> None:
    """Wait until it is active and has something to do."""
    await until(partial(is_active, process), 20)
    before = (await store.head()).published

    async def moved() -> bool:
        return (await store.head()).published > before

    await until(moved, 20)
