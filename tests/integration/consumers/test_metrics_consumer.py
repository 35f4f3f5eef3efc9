"""The metrics consumer: every event counted once, whatever ends, comes back or is away."""

from __future__ import annotations

import asyncio
from functools import partial

import msgspec
import psycopg
import pytest
from psycopg import sql

from eskit.client.offsets import Offsets
from eskit.consumer import Consumer
from eskit.offsets import Reset
from eskit.settings import Settings
from infra.local.broker import KafkaBroker
from tests.integration.consuming import (
    PARTITIONS,
    Topic,
    all_saved,
    collect,
    consuming,
    last_of,
    positions_of,
    stored,
)
from tests.integration.metrics_page import has, is_, metrics, scrape, total
from tests.services import ServiceProcess, processes, until

ACTIONS = ("Created", "Updated", "Deleted", "Restored", "Renamed")


@pytest.fixture
def topic(config: Settings, kafka_broker: KafkaBroker) -> Topic:
    topic = Topic(config, kafka_broker)
    topic.add(stored(p, action=ACTIONS[p % 5], entity_type="User") for p in range(1, 501))
    return topic


async def test_every_event_is_counted_by_type_and_by_partition(config: Settings, topic: Topic) -> None:
    topic.add(stored(p, action=ACTIONS[p % 5], entity_type="User") for p in range(400, 501))  # a relay's repetition
    async with metrics(config) as url:
        await until(lambda: is_(500, url))
        samples = await scrape(url)
    for action in ACTIONS:
        labels = f'{{entity_type="User",event_type="User.{action}"}}'
        assert samples[f"eskit_events_store_total{labels}"] == 100
        assert samples.get(f"eskit_events_crud_total{labels}") == (None if action == "Renamed" else 100)
    for number in range(PARTITIONS):
        positions = positions_of(number, range(1, 501))
        labels = f'{{application_id="{config.log}",partition_id="{number}"}}'
        assert samples[f"eskit_events_stream_last_id{labels}"] == positions[-1]
        assert samples[f"eskit_events_stream_count{labels}"] == len(positions)


async def test_a_restart_reads_nothing_again(config: Settings, topic: Topic) -> None:
    async with metrics(config) as url:
        await until(lambda: is_(500, url))
        await until(lambda: all_saved(config, "metrics", last_of(range(1, 501))))
    topic.add(stored(p, action="Renamed", entity_type="User") for p in range(501, 601))
    async with metrics(config) as url:
        await until(lambda: is_(600, url))
        assert (await scrape(url))['eskit_consumer_handled_total{consumer="metrics"}'] == 100


async def test_two_instances_count_each_event_once_and_hand_over(config: Settings, topic: Topic) -> None:
    async with metrics(config) as first:
        await until(lambda: is_(500, first))
        async with metrics(config) as second:
            await until(lambda: shared(first, second))
            await until(lambda: is_(500, first, second))
            topic.add(stored(p, action="Renamed", entity_type="User") for p in range(501, 601))
            await until(lambda: is_(600, first, second))
        await until(lambda: is_(600, first))
        topic.add(stored(p, action="Renamed", entity_type="User") for p in range(601, 701))
        await until(lambda: is_(700, first))


async def shared(first: str, second: str) -> bool:
    return 0 < await total(second) < 500 and 0 < await total(first) < 500


async def test_a_log_that_was_counted_in_memory_is_counted_from_its_beginning(config: Settings, topic: Topic) -> None:
    before = Consumer("metrics", in_memory=True)
    collect(before)
    async with consuming(config, before):
        await until(lambda: all_saved(config, "metrics", last_of(range(1, 501))))
    async with metrics(config) as url:
        await until(lambda: is_(500, url))


async def test_a_reset_counts_nothing_twice(config: Settings, topic: Topic) -> None:
    async with metrics(config) as url:
        await until(lambda: is_(500, url))
    async with Offsets(config.offsets_url) as client:
        await client.reset("metrics", Reset(topic=config.topic, to="beginning", force=True))
    async with metrics(config) as url:
        await until(lambda: has(url, 'eskit_consumer_handled_total{consumer="metrics"}', 500))
        topic.add(stored(p, action="Renamed", entity_type="User") for p in range(501, 601))
        await until(lambda: is_(600, url))


async def test_killed_at_work_it_has_counted_what_is_in_the_log(config: Settings, topic: Topic) -> None:
    process = ServiceProcess("consumers.metrics", config, "metrics_port")
    with processes(process):
        for first in (501, 4501):
            topic.add(stored(p, entity_type="Load") for p in range(first, first + 4000))
            process.start()
            await until(partial(counted_more, config, first), 60, process.output)
            process.kill()
            assert counted(config) < first + 4000 - 1, "killed too late to prove anything"
        await process.start().ready(60)
        await until(lambda: is_(8500, process.url), 60, process.output)
        samples = await scrape(process.url)
        assert samples['eskit_events_store_total{entity_type="Load",event_type="Load.Changed"}'] == 8000
        assert await total(process.url, metric="eskit_events_stream_count") == 8500


def counted_more(config: Settings, than: int) -> bool:
    return counted(config) > than


def counted(config: Settings) -> int:
    """How many events are in the table; 0 before it is there."""
    schema = sql.Identifier(config.schema("metrics"))
    try:
        with psycopg.connect(config.database_url) as connection:
            text = sql.SQL("SELECT coalesce(sum(events), 0) FROM {}.counts").format(schema)
            return int(connection.execute(text).fetchall()[0][0])
    except psycopg.errors.UndefinedTable:
        return 0


@pytest.mark.parametrize(
    "given", ["GRANT CREATE ON DATABASE {database} TO {login}", "CREATE SCHEMA {schema} AUTHORIZATION {login}"]
)
async def test_a_login_of_its_own_needs_its_schema_or_the_right_to_make_it(
    config: Settings, topic: Topic, given: str
) -> None:
    login = sql.Identifier("metrics_login")
    with psycopg.connect(config.database_url, autocommit=True) as owner:
        database = sql.Identifier(owner.info.dbname)
        owner.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'lone'").format(login))
        try:
            schema = sql.Identifier(config.schema("metrics"))
            owner.execute(sql.SQL(given).format(database=database, login=login, schema=schema))
            url = psycopg.conninfo.make_conninfo(config.database_url, user="metrics_login", password="lone")  # noqa: S106 - of this test alone
            for _ in range(2):
                async with metrics(msgspec.structs.replace(config, target_url=url)) as address:
                    await until(partial(is_, 500, address))
        finally:
            owner.execute(sql.SQL("DROP OWNED BY {}").format(login))
            owner.execute(sql.SQL("DROP ROLE {}").format(login))


async def test_as_a_process_it_is_ready_and_ends_in_good_order(config: Settings, topic: Topic) -> None:
    process = ServiceProcess("consumers.metrics", config, "metrics_port")
    with processes(process):
        process.start()
        await process.ready()
        await until(lambda: is_(500, process.url), 30, process.output)
        assert await asyncio.to_thread(process.stop) == 0
