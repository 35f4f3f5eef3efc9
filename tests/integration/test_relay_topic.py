"""D5: the relay refuses a topic that is not the one this log was published to, and says what to do."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import psycopg
import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType

from eskit.postgres.migrations import Schema, migrate
from eskit.settings import Settings
from eventstore_svc.store import open_event_store
from tests.integration.appending import load, new_event
from tests.integration.relaying import publish, published, relay, topic_is_log
from tests.services import environment, processes, until

pytestmark = pytest.mark.real_kafka


async def test_refuses_a_topic_that_is_not_the_pinned_one(log_config: Settings) -> None:
    """D5: with more partitions, made anew, or gone: the relay ends and says what to do."""
    async with open_event_store(log_config, "test") as store:
        await publish(log_config, store, 10)
    admin = AdminClient({"bootstrap.servers": log_config.kafka_bootstrap})
    admin.delete_topics([log_config.topic], operation_timeout=10)[log_config.topic].result()
    await until(lambda: log_config.topic not in admin.list_topics(timeout=5).topics)
    await refuses(log_config, "is gone")


async def test_refuses_a_topic_that_is_ahead_of_the_log(log_config: Settings, database_url: str) -> None:
    """After a restore of the database to an older point, positions would be given out a second time."""
    async with open_event_store(log_config, "test") as store:
        await publish(log_config, store, 50)
    forget_after(database_url, log_config, 40)
    await refuses(log_config, "the topic holds position 50, the log ends at 40")


def forget_after(database_url: str, config: Settings, position: int) -> None:
    """As a restore to an older point does."""
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(f"SET search_path = {config.schema('eventstore')}")
        owner.execute("ALTER TABLE events DISABLE TRIGGER USER")
        owner.execute(f"DELETE FROM events WHERE position > {position}")


async def refuses(config: Settings, why: str) -> None:
    """A relay that is started ends with 1, says why and where to read on."""
    refused = relay(config)
    with processes(refused):
        assert await asyncio.to_thread(refused.start().wait) == 1
        assert why in refused.output()
        assert "topic-and-log-disagree" in refused.output()


async def test_refuses_another_logs_topic_also_when_the_log_is_longer(log_config: Settings, database_url: str) -> None:
    """A topic with records, a schema made anew with more events than the topic has: nothing of it fits."""
    async with open_event_store(log_config, "test") as store:
        await publish(log_config, store, 50)
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(f"DROP SCHEMA {log_config.schema('eventstore')} CASCADE")
    migrate(database_url, Schema(log_config.schema("eventstore"), "eventstore_svc"))
    async with open_event_store(log_config, "test") as store:
        await load(store, 80)
    await refuses(log_config, "the topic is another log's")


async def test_refuses_after_a_restore_that_has_grown_past_the_topic(log_config: Settings, database_url: str) -> None:
    """The database went back, and was appended to before any relay looked: positions have two events."""
    async with open_event_store(log_config, "test") as store:
        await publish(log_config, store, 50)
        forget_after(database_url, log_config, 40)
        await load(store, 60)
    await refuses(log_config, "the database was restored to an older point")


async def test_a_topic_made_anew_under_a_running_relay_is_noticed(log_config: Settings) -> None:
    """By offsets that begin again, or by the topic's id: the relay ends and says so, before the outbox is forgotten."""
    admin = AdminClient({"bootstrap.servers": log_config.kafka_bootstrap})
    async with open_event_store(log_config, "test") as store:
        process = relay(log_config)
        with processes(process):
            await process.start().ready()
            await load(store, 200)
            await published(store)
            admin.delete_topics([log_config.topic], operation_timeout=10)[log_config.topic].result()
            await until(lambda: log_config.topic not in admin.list_topics(timeout=5).topics)
            admin.create_topics([NewTopic(log_config.topic, 6, 1)])[log_config.topic].result()
            await load(store, 200)
            assert await asyncio.to_thread(process.wait, 30) == 1
            assert "is not the one this log was published to" in process.output()


async def test_a_producer_that_comes_to_its_end_is_replaced(log_config: Settings) -> None:
    """The topic's record limit is lowered under the relay: it says so and refuses; raised again, everything arrives."""
    admin = AdminClient({"bootstrap.servers": log_config.kafka_bootstrap})

    def set_limit(limit: int) -> None:
        entry = ConfigEntry("max.message.bytes", str(limit), incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, log_config.topic, incremental_configs=[entry])
        admin.incremental_alter_configs([resource])[resource].result()

    async with open_event_store(log_config, "test") as store:
        process = relay(log_config)
        with processes(process):
            await process.start().ready()
            await load(store, 10)
            await published(store)
            set_limit(1000)
            await store.append([new_event("large", payload=b'{"x":"' + os.urandom(20_000).hex().encode() + b'"}')])
            assert await asyncio.to_thread(process.wait, 30) == 1
            assert "raise the topic's max.message.bytes" in process.output()
            set_limit(1_000_000)
            await process.start().ready()
            await topic_is_log(log_config, store)


async def test_republish_after_the_topic_was_lost(log_config: Settings) -> None:
    """What docs/howto/topic-and-log-disagree.md says works: a lost topic is made again from the log."""
    admin = AdminClient({"bootstrap.servers": log_config.kafka_bootstrap})
    async with open_event_store(log_config, "test") as store:
        await publish(log_config, store, 300)
        admin.delete_topics([log_config.topic], operation_timeout=10)[log_config.topic].result()
        await until(lambda: log_config.topic not in admin.list_topics(timeout=5).topics)
        command = [sys.executable, "-m", "eventstore_svc.republish", "--yes"]
        await asyncio.to_thread(
            subprocess.run, command, env=os.environ | environment(log_config), check=True, timeout=30
        )
        # The new topic may have another number of partitions: nothing is known of where they end.
        with psycopg.connect(log_config.database_url) as owner:
            ends = f"SELECT count(*) FROM {log_config.schema('eventstore')}.relay_ends"
            assert owner.execute(ends.encode()).fetchone() == (0,)
        again = relay(log_config)
        with processes(again):
            await again.start().ready()
            assert len((await topic_is_log(log_config, store)).events) == 300
