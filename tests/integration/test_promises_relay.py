"""P4: every event reaches the topic, in order, once for a consumer that drops what it has seen."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from functools import partial

import psycopg
import pytest
from confluent_kafka.admin import AdminClient

from eskit.settings import Settings
from eventstore_svc.store import EventStore, Recorded, open_event_store
from infra.local.broker import KafkaBroker
from tests.integration.appending import keep_appending, load, new_event
from tests.services import ServiceProcess, environment, own_log, processes, until
from tests.topic import Read, read_topic

pytestmark = pytest.mark.real_kafka

RELAY = "eventstore_svc.relay"


def relay(config: Settings, **environ: str) -> ServiceProcess:
    """A relay process whose lease is short, so that tests need not wait for it."""
    return ServiceProcess(RELAY, config, "relay_port", **({"ESKIT_RELAY_LEASE_S": "1"} | environ))


def has_begun(process: ServiceProcess, times: int) -> bool:
    """Whether a relay has come to publishing that often, over all its lives."""
    return process.output().count('"event": "going on"') >= times


async def published(store: EventStore, timeout_s: float = 60.0) -> int:
    """Wait until the topic has the whole log; its head."""

    async def all_there() -> bool:
        head = await store.head()
        return head.published == head.position

    await until(all_there, timeout_s)
    return (await store.head()).position


async def topic_is_log(config: Settings, store: EventStore) -> Read:
    """Nothing lost, nothing doubled after dropping what was seen, nothing out of order."""
    head = await published(store)
    read = await asyncio.to_thread(read_topic, config)
    assert [event.position for event in read.events] == list(range(1, head + 1))
    return read


@pytest.mark.slow
async def test_relay_killed_50_times_under_load(log_config: Settings) -> None:
    """P4: SIGKILL at random moments while 4 writers append; most of them while it publishes."""
    dice = random.Random(4)
    stopped = False
    acknowledged: list[Recorded] = []
    async with open_event_store(log_config, "test") as store:
        writers = [asyncio.create_task(keep_appending(store, lambda: stopped, acknowledged)) for _ in range(4)]
        victim = relay(log_config, ESKIT_RELAY_LEASE_S="0.4")
        with processes(victim):
            for attempt in range(50):
                begun = victim.output().count('"event": "going on"')
                victim.start()
                if attempt % 5:
                    await until(partial(has_begun, victim, begun + 1))
                await asyncio.sleep(dice.uniform(0, 0.3))
                victim.kill()
            victim.start()
            stopped = True
            await asyncio.gather(*writers)
            read = await topic_is_log(log_config, store)
    assert {event.position for event in read.events} == {recorded.position for recorded in acknowledged}


async def test_a_stopped_relay_wakes_up_after_another_took_over(log_config: Settings) -> None:
    """P4: two relays; the active one is stopped for longer than its lease and then goes on where it was."""
    async with open_event_store(log_config, "test") as store:
        first, second = relay(log_config), relay(log_config)
        with processes(first, second):
            await first.start().ready()
            await second.start().ready()
            loading = asyncio.create_task(load(store, 20_000, writers=8))
            for active in (first, second, first):
                await until_active(active, store)
                active.signal(signal.SIGSTOP)
                await until(partial(is_active, second if active is first else first), 20)
                active.signal(signal.SIGCONT)
            await loading
            await topic_is_log(log_config, store)


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


async def test_two_relays_one_works_one_waits(log_config: Settings) -> None:
    """A standby is ready, publishes nothing, and takes over at once when the active one stops in order."""
    async with open_event_store(log_config, "test") as store:
        first, second = relay(log_config), relay(log_config)
        with processes(first, second):
            await first.start().ready()
            await second.start().ready()
            await load(store, 1000)
            await published(store)
            assert '"event": "active"' not in second.output()
            assert first.stop() == 0
            await load(store, 1000)
            await topic_is_log(log_config, store)
            assert '"event": "active"' in second.output()


async def test_duplicates_only_when_in_doubt(log_config: Settings) -> None:
    """A relay that stops in order and starts again adds no record at all."""
    async with open_event_store(log_config, "test") as store:
        for _ in range(3):
            process = relay(log_config)
            with processes(process):
                await process.start().ready()
                await load(store, 500)
                await published(store)
                assert process.stop() == 0
        assert (await topic_is_log(log_config, store)).dropped == 0


async def test_record_bytes_are_a_function_of_the_event(log_config: Settings) -> None:
    """D3 and P4: the payload arrives to the byte, with its numbers, spaces and escapes."""
    payloads = [b'{ "a" : 1.10 }', b'{"n":12345678901234567890,"e":1e0,"z":-0.0}', b'{"u":"\\u00e9\\ud83d\\ude00"}']
    async with open_event_store(log_config, "test") as store:
        process = relay(log_config)
        with processes(process):
            await process.start().ready()
            for number, payload in enumerate(payloads):
                await store.append([new_event(f"id {number}/ü", payload=payload)])
            read = await topic_is_log(log_config, store)
    assert [bytes(event.payload) for event in read.events] == payloads
    assert [event.originator.id for event in read.events] == ["id 0/ü", "id 1/ü", "id 2/ü"]


async def test_refuses_a_topic_that_is_not_the_pinned_one(log_config: Settings) -> None:
    """D5: with more partitions, made anew, or gone: the relay ends and says what to do."""
    async with open_event_store(log_config, "test") as store:
        process = relay(log_config)
        with processes(process):
            await process.start().ready()
            await load(store, 10)
            await published(store)
            process.stop()
    admin = AdminClient({"bootstrap.servers": log_config.kafka_bootstrap})
    admin.delete_topics([log_config.topic], operation_timeout=10)[log_config.topic].result()
    await until(lambda: log_config.topic not in admin.list_topics(timeout=5).topics)
    refused = relay(log_config)
    with processes(refused):
        assert await asyncio.to_thread(refused.start().wait) == 1
        assert "is gone" in refused.output()
        assert "topic-and-log-disagree" in refused.output()


async def test_refuses_a_topic_that_is_ahead_of_the_log(log_config: Settings, database_url: str) -> None:
    """After a restore of the database to an older point, positions would be given out a second time."""
    async with open_event_store(log_config, "test") as store:
        process = relay(log_config)
        with processes(process):
            await process.start().ready()
            await load(store, 50)
            await published(store)
            process.stop()
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(f"SET search_path = {log_config.schema('eventstore')}")
        owner.execute("ALTER TABLE events DISABLE TRIGGER USER")
        owner.execute("DELETE FROM events WHERE position > 40")
    refused = relay(log_config)
    with processes(refused):
        assert await asyncio.to_thread(refused.start().wait) == 1
        assert "the topic holds position 50, the log ends at 40" in refused.output()


async def test_kafka_away_appends_go_on_and_the_backlog_drains(database_url: str, private_kafka: KafkaBroker) -> None:
    """P8: Kafka stops; appends do not notice, the relay's readiness does; it comes back and everything arrives."""
    config = own_log(database_url, private_kafka.bootstrap)
    async with open_event_store(config, "test") as store:
        process = relay(config)
        with processes(process):
            await process.start().ready()
            await load(store, 500)
            await published(store)
            await asyncio.to_thread(private_kafka.kill)
            await load(store, 2000)
            problem = await until(lambda: not_ready(process), 30)
            assert "Kafka has confirmed nothing for" in problem["checks"]["relay"]
            assert (await store.head()).published < 2500
            await asyncio.to_thread(private_kafka.start)
            await process.ready(60)
            await topic_is_log(config, store)


async def not_ready(process: ServiceProcess) -> dict[str, dict[str, str]] | None:
    """What /readyz says when it says no."""
    status, body = await process.readiness()
    return body if status == 503 else None


async def test_relay_started_before_kafka(database_url: str, private_kafka: KafkaBroker) -> None:
    """P8: a relay that finds no Kafka says so, waits, and begins by itself."""
    config = own_log(database_url, private_kafka.bootstrap)
    await asyncio.to_thread(private_kafka.stop)
    async with open_event_store(config, "test") as store:
        await load(store, 100)
        process = relay(config)
        with processes(process):
            process.start()
            problem = await until(lambda: not_ready(process), 30)
            assert problem["checks"]["relay"]
            await asyncio.to_thread(private_kafka.start)
            await process.ready(60)
            await topic_is_log(config, store)


async def test_republish_after_the_topic_was_lost(log_config: Settings) -> None:
    """What docs/howto/topic-and-log-disagree.md says works: a lost topic is made again from the log."""
    admin = AdminClient({"bootstrap.servers": log_config.kafka_bootstrap})
    async with open_event_store(log_config, "test") as store:
        process = relay(log_config)
        with processes(process):
            await process.start().ready()
            await load(store, 300)
            await published(store)
            process.stop()
        admin.delete_topics([log_config.topic], operation_timeout=10)[log_config.topic].result()
        await until(lambda: log_config.topic not in admin.list_topics(timeout=5).topics)
        command = [sys.executable, "-m", "eventstore_svc.republish", "--yes"]
        await asyncio.to_thread(
            subprocess.run, command, env=os.environ | environment(log_config), check=True, timeout=30
        )
        again = relay(log_config)
        with processes(again):
            await again.start().ready()
            assert len((await topic_is_log(log_config, store)).events) == 300
