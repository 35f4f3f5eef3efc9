"""A view is built anew beside the first and takes its place, whatever goes on meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import psycopg
import pytest

from eskit.client.letters import DeadLetters
from eskit.consumer.transactions.exchange import Choices
from eskit.consumer.transactions.rebuild import Seen, rebuild
from eskit.consumer.transactions.switch import switch
from eskit.errors import Conflict, NotFound
from eskit.letters import DiscardLetters, RetryLetters
from eskit.settings import Settings
from infra.local.broker import KafkaBroker
from tests.integration.consuming import Topic, consuming, offsets_service, saved
from tests.integration.rebuilding import Database, Ledger, built, caught_up, done_up_to, running
from tests.services import until

# Members number the rows as they come to them.
SAME = Choices(without={"effects": ["nr"]}, wait_s=2.0)


@pytest.fixture
async def config(log_config: Settings, kafka_broker: KafkaBroker) -> AsyncIterator[Settings]:
    async with offsets_service(log_config) as found:
        yield found


@pytest.fixture
def topic(config: Settings, kafka_broker: KafkaBroker) -> Topic:
    return Topic(config, kafka_broker)


async def test_a_copy_reaches_the_first_and_takes_its_place(config: Settings, topic: Topic) -> None:
    ledger, database, seen = Ledger(), Database(config), list[Seen]()
    topic.add_positions(range(1, 2001))
    await done_up_to(config, ledger, 2000)
    await rebuild(config, ledger.pair(), seen.append)
    assert (seen[-1].done, seen[-1].records, seen[-1].behind) == (2000, 2000, 0)
    assert database.positions("ledger_2") == list(range(1, 2001))

    switched = await switch(config, ledger.pair(), SAME)
    assert switched.different == {}
    assert database.schemas() == ["ledger", switched.old_schema]
    assert await saved(config, "ledger-2") == {}
    topic.add_positions(range(2001, 2101))
    await done_up_to(config, ledger, 2100)
    assert database.positions() == list(range(1, 2101))
    assert database.positions(switched.old_schema) == list(range(1, 2001))


async def test_a_switch_under_load_loses_and_doubles_nothing(config: Settings, topic: Topic) -> None:
    ledger, database, last = Ledger(), Database(config), 1000
    stop = asyncio.Event()

    async def append() -> None:
        nonlocal last
        while not stop.is_set():
            await asyncio.to_thread(topic.add_positions, range(last + 1, last + 21))
            last += 20
            await asyncio.sleep(0.02)  # a load, not an overload

    def goes_on(done: int) -> bool:
        return len(database.positions()) > done + 100

    counts: list[int] = []

    def read() -> None:
        with psycopg.connect(config.database_url, autocommit=True) as connection:
            while not stop.is_set():
                [(count,)] = connection.execute("SELECT count(*) FROM ledger.effects").fetchall()
                counts.append(count)

    topic.add_positions(range(1, 1001))
    async with running(config, ledger):
        await caught_up(config, 1000)
        others = [asyncio.create_task(append()), asyncio.create_task(asyncio.to_thread(read))]
        try:
            for _ in range(2):
                await built(config, ledger.pair())
                await switch(config, ledger.pair(), SAME._replace(wait_s=30.0))
                await until(partial(goes_on, len(database.positions())), 60)
        finally:
            stop.set()
            await asyncio.gather(*others)
        await caught_up(config, last)
    assert database.positions() == list(range(1, last + 1))
    assert database.in_order()
    assert ledger.consumer.stats.fenced > 0
    # Whoever reads by the name finds what had been done, at any time.
    assert counts == sorted(counts)
    assert counts[0] >= 1000
    assert len(database.schemas()) == 3


async def test_an_effect_at_work_during_the_switch_comes_again_in_the_new_view(config: Settings, topic: Topic) -> None:
    ledger, database = Ledger(), Database(config)
    topic.add_positions(range(1, 101))
    await done_up_to(config, ledger, 100)
    await built(config, ledger.pair())
    ledger.gate_at = 150
    async with running(config, ledger):
        topic.add_positions(range(150, 151))
        await asyncio.wait_for(ledger.entered.wait(), 30)
        await switch(config, ledger.pair(), SAME)
        ledger.gate.set()
        await until(lambda: 150 in database.positions())
    assert database.positions() == [*range(1, 101), 150]
    assert database.positions(database.old()) == list(range(1, 101))
    assert ledger.consumer.stats.fenced == 1


async def test_the_copy_is_brought_to_where_the_first_stands(config: Settings, topic: Topic) -> None:
    ledger, database = Ledger(), Database(config)
    topic.add_positions(range(1, 501))
    await done_up_to(config, ledger, 500)
    await built(config, ledger.pair())
    topic.add_positions(range(501, 3001))
    await done_up_to(config, ledger, 3000)
    assert database.positions("ledger_2") == list(range(1, 501))
    assert (await switch(config, ledger.pair(), SAME)).different == {}
    assert database.positions() == list(range(1, 3001))
    assert database.in_order()


async def test_a_first_that_stays_behind_cannot_be_compared(config: Settings, topic: Topic) -> None:
    ledger, database = Ledger(), Database(config)
    topic.add_positions(range(1, 101))
    await done_up_to(config, ledger, 100)
    await built(config, ledger.pair())
    topic.add_positions(range(101, 201))
    copy = ledger.pair().copy
    async with consuming(config, copy):
        await until(lambda: len(database.positions("ledger_2")) == 200)
    with pytest.raises(Conflict, match="behind its copy"):
        await switch(config, ledger.pair(), SAME)
    assert (await switch(config, ledger.pair(), SAME._replace(force=True))).different is None
    await done_up_to(config, ledger, 200)
    assert database.positions() == list(range(1, 201))


async def test_a_different_copy_is_refused_by_the_tables_name(config: Settings, topic: Topic) -> None:
    first, other, database = Ledger(), Ledger(), Database(config)
    other.amount = "seven"
    topic.add_positions(range(1, 201))
    await done_up_to(config, first, 200)
    await built(config, other.pair())
    with pytest.raises(Conflict, match="effects: 200 rows in both, with other contents") as caught:
        await switch(config, other.pair(), SAME)
    assert caught.value.extra["tables"] == ["effects"]
    database.rows("CREATE TABLE ledger.by_hand AS SELECT 1 AS one")
    with pytest.raises(Conflict, match="by_hand: missing in ledger_2"):
        await switch(config, other.pair(), SAME._replace(expect_different=["effects"]))
    # Neither has taken harm.
    topic.add_positions(range(201, 301))
    await done_up_to(config, first, 300)
    await built(config, other.pair())
    assert database.positions() == database.positions("ledger_2") == list(range(1, 301))
    switched = await switch(config, other.pair(), SAME._replace(expect_different=["effects", "by_hand"]))
    assert sorted(switched.different or {}) == ["by_hand", "effects"]
    assert database.rows("SELECT DISTINCT amount FROM ledger.effects") == [(7,)]


async def test_what_the_first_has_set_aside_had_its_effect_in_the_copy(config: Settings, topic: Topic) -> None:
    first, cured, database = Ledger(), Ledger(), Database(config)
    first.poison = {7}
    topic.add_positions(range(1, 301))
    await done_up_to(config, first, 300)
    await built(config, cured.pair())
    with pytest.raises(Conflict, match="effects: 297 rows in ledger, 300 in ledger_2"):
        await switch(config, cured.pair(), SAME)
    await switch(config, cured.pair(), SAME._replace(expect_different=["effects"]))
    async with DeadLetters(config.offsets_url) as letters, running(config, cured):
        topic.add_positions(range(307, 308))
        await letters.retry("ledger", RetryLetters(all=True))
        await until(lambda: _nothing_aside(letters, "ledger"))
        await until(lambda: 307 in database.positions())
    assert database.positions() == [*range(1, 301), 307]


async def test_a_copy_with_dead_letters_is_refused(config: Settings, topic: Topic) -> None:
    first, broken, database = Ledger(), Ledger(), Database(config)
    broken.poison = {7}
    topic.add_positions(range(1, 101))
    await done_up_to(config, first, 100)
    await built(config, broken.pair())
    with pytest.raises(Conflict, match="dead letters"):
        await switch(config, broken.pair(), SAME._replace(force=True))
    async with DeadLetters(config.offsets_url) as letters:
        await letters.discard("ledger-2", DiscardLetters("thing-7"))
        again = broken.pair().copy
        async with consuming(config, again):
            await until(lambda: _nothing_aside(letters, "ledger-2"))
    await switch(config, broken.pair(), SAME._replace(force=True))
    assert database.positions() == [p for p in range(1, 101) if p != 7]


async def _nothing_aside(letters: DeadLetters, name: str) -> bool:
    return not (await letters.parked(name)).parked


async def test_rights_of_others_go_with_the_name(config: Settings, topic: Topic) -> None:
    ledger, database, reader = Ledger(), Database(config), "reader_of_ledger"
    topic.add_positions(range(1, 101))
    await done_up_to(config, ledger, 100)
    database.rows(f"CREATE ROLE {reader}")
    try:
        database.rows(f"GRANT USAGE ON SCHEMA ledger TO {reader}")
        database.rows(f"GRANT SELECT ON ledger.effects TO {reader}; GRANT SELECT (id) ON ledger.owners TO {reader}")
        await built(config, ledger.pair())
        await switch(config, ledger.pair(), SAME)
        with psycopg.connect(config.database_url) as connection:
            connection.execute(f"SET ROLE {reader}".encode())
            assert connection.execute("SELECT count(*) FROM ledger.effects").fetchall() == [(100,)]
            assert connection.execute("SELECT id FROM ledger.owners").fetchall() == []
    finally:
        database.rows(f"DROP OWNED BY {reader}; DROP ROLE {reader}")


async def test_what_a_switch_would_break_is_refused(config: Settings, topic: Topic) -> None:
    ledger, database = Ledger(), Database(config)
    topic.add_positions(range(1, 101))
    await done_up_to(config, ledger, 100)
    await built(config, ledger.pair())
    database.rows("CREATE VIEW public.report AS SELECT sum(amount) FROM ledger.effects")
    with pytest.raises(Conflict, match=r"view public\.report"):
        await switch(config, ledger.pair(), SAME)
    database.rows("DROP VIEW public.report")
    database.rows("INSERT INTO ledger.eskit_progress VALUES ('other', 't', 0, 1)")
    with pytest.raises(Conflict, match=r"also the view of other \(t\)"):
        await switch(config, ledger.pair(), SAME._replace(force=True))
    database.rows("DELETE FROM ledger.eskit_progress WHERE consumer = 'other'")
    with psycopg.connect(config.database_url) as other:
        other.execute("LOCK ledger.effects IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(Exception, match="not held up longer"):
            await switch(config, ledger.pair(), SAME._replace(hold_s=0.5))
    await switch(config, ledger.pair(), SAME)
    with pytest.raises(NotFound, match="no view of ledger-2"):
        await switch(config, ledger.pair(), SAME)


async def test_without_a_first_view_there_is_nothing_to_rebuild(config: Settings, topic: Topic) -> None:
    with pytest.raises(NotFound, match="no view of ledger"):
        await built(config, Ledger().pair())
