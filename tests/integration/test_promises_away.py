"""P8: Kafka goes away: appends do not notice, the relay says so, waits, and goes on by itself."""

from __future__ import annotations

import asyncio

import pytest

from eventstore_svc.store import open_event_store
from infra.local.broker import KafkaBroker
from infra.local.postgres import PostgresServer
from tests.integration.appending import load
from tests.integration.relaying import published, relay, topic_is_log
from tests.services import ServiceProcess, own_log, processes, until
from tests.stack import standing_still

pytestmark = pytest.mark.real_kafka


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


async def test_postgres_stands_still_under_the_relay(
    private_postgres: PostgresServer, kafka_broker: KafkaBroker
) -> None:
    """P8: no answer and no end of the connections; the relay gives them up, says so, and goes on on new ones."""
    config = own_log(private_postgres.url, kafka_broker.bootstrap)
    async with open_event_store(config, "test") as store:
        process = relay(config)
        with processes(process):
            await process.start().ready()
            await load(store, 500)
            await published(store)
            with standing_still(private_postgres.url, "eskit relay"):
                await load(store, 500)
                # The lease row is locked by nobody: the same process takes it again once it has run out.
                await published(store)
            await topic_is_log(config, store)
            assert '"event": "starting again"' in process.output()
