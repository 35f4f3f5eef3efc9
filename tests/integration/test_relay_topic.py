"""D5: the relay refuses a topic that is not the one this log was published to, and says what to do."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import psycopg
import pytest
from confluent_kafka.admin import AdminClient

from eskit.settings import Settings
from eventstore_svc.store import open_event_store
from tests.integration.appending import load
from tests.integration.relaying import published, relay, topic_is_log
from tests.services import environment, processes, until

pytestmark = pytest.mark.real_kafka


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
