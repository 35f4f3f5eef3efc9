"""P8 for the offsets service: many at once, two of them, one killed, and the database away."""

from __future__ import annotations

import asyncio
import random

import aiohttp
import psycopg

from eskit.client.offsets import Offsets
from eskit.errors import EskitError, Fenced, OffsetRegression, Unavailable
from eskit.offsets import Commit, Committed
from eskit.settings import Settings
from infra.local.postgres import PostgresServer
from offsets_svc.app import offsets_app
from offsets_svc.store.commits import Committer
from offsets_svc.store.database import open_database
from tests.services import ServiceProcess, config_for, processes, running, until
from tests.stack import migrate

TOPIC = "eskit.application-log"


async def test_commits_that_share_a_statement_keep_their_own_outcomes(config: Settings) -> None:
    """All at once, so that they are grouped: of each partition in the order in which they came."""
    async with open_database(config, "test") as database:
        queue = Committer(database)

        async def store(consumer: str, offset: int, epoch: int | None = None) -> object:
            [outcome] = await queue.commit(consumer, [Commit(TOPIC, 0, offset, epoch=epoch)])
            return outcome

        wanted = [(f"c{n % 50}", n) for n in range(500)]
        found = await asyncio.gather(*(store(consumer, offset) for consumer, offset in wanted))
        assert [(type(one), getattr(one, "offset", None)) for one in found] == [(Committed, n) for _, n in wanted]
        mixed = [("c1", 3, None), ("c2", 1000, 7), ("c3", 1000, None), ("nobody", 1, 7), ("c3", 999, None)]
        found = await asyncio.gather(*(store(*one) for one in mixed))
        assert [type(one) for one in found] == [OffsetRegression, Fenced, Committed, Fenced, OffsetRegression]
        await queue.close()


async def test_a_caller_that_leaves_takes_nobody_with_it(config: Settings) -> None:
    async with open_database(config, "test") as database:
        queue = Committer(database)
        calls = [asyncio.create_task(queue.commit(f"c{n}", [Commit(TOPIC, 0, 1)])) for n in range(100)]
        await asyncio.sleep(0)
        for call in calls[::2]:
            call.cancel()
        done = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(one, list) for one in done[1::2])
        assert all(isinstance(one, asyncio.CancelledError) for one in done[::2])
        await queue.close()


async def test_groups_of_two_instances_never_wait_for_each_other_in_a_circle(config: Settings) -> None:
    """Many consumers in each group, all of them silent before: both want to say that all are alive."""
    names = [f"c{n}" for n in range(200)]
    async with open_database(config, "test") as one, open_database(config, "test") as two:
        with psycopg.connect(config.database_url, autocommit=True) as owner:
            for offset in range(1, 30):
                owner.execute("UPDATE offsets.consumers SET last_seen = '2020-01-01'")
                calls = []
                for part, (queue, order) in enumerate(((Committer(one), names), (Committer(two), names[::-1]))):
                    calls += [queue.commit(name, [Commit(TOPIC, part, offset)]) for name in order]
                for [outcome] in await asyncio.gather(*calls):
                    assert isinstance(outcome, Committed)
            row = owner.execute("SELECT min(last_seen) > '2021-01-01' FROM offsets.consumers").fetchone()
    assert row == (True,)


async def test_two_instances_let_no_zombie_through(config: Settings) -> None:
    """Members claim and commit through either, while one of the two is killed and started again."""
    pair = [ServiceProcess("offsets_svc", config, "offsets_port").start() for _ in range(2)]
    highest: dict[int, int] = {}
    taken: list[Commit] = []
    kills: list[int] = []
    over = asyncio.Event()

    async def member(number: int) -> None:
        dice = random.Random(number)
        async with Offsets(pair[0].url) as one, Offsets(pair[1].url) as two:
            for _ in range(12):
                claims = await dice.choice((one, two)).claim("billing", TOPIC, dice.sample(range(6), 4), f"m{number}")
                wanted = [Commit(TOPIC, c.partition, (c.offset or 0) + 1, epoch=c.epoch) for c in claims]
                outcomes = await dice.choice((one, two)).commit_all("billing", wanted)
                for commit, outcome in zip(wanted, outcomes, strict=True):
                    assert isinstance(outcome, Committed | Fenced)
                    if isinstance(outcome, Committed):
                        taken.append(commit)
                        highest[commit.partition] = max(highest.get(commit.partition, 0), commit.offset)

    async def killer() -> None:
        while not over.is_set():
            await until(lambda: over.is_set() or len(taken) >= 20 * (len(kills) + 1))
            pair[1].kill()
            kills.append(len(taken))
            await pair[1].start().ready()

    with processes(*pair):
        await asyncio.gather(*(process.ready() for process in pair))
        killing = asyncio.create_task(killer())
        async with asyncio.timeout(120):
            await asyncio.gather(*(member(number) for number in range(6)))
            over.set()
            await killing
        async with Offsets(pair[0].url) as client:
            stored = {p.partition: p.offset or 0 for p in (await client.consumer("billing")).partitions}
    assert len(kills) >= 2
    # What was answered is stored; what was stored without an answer can only be more.
    assert all(stored[partition] >= offset for partition, offset in highest.items())


async def test_the_service_outlives_its_database(private_postgres: PostgresServer) -> None:
    migrate(private_postgres.url)
    config = config_for(private_postgres.url, pool_wait_s=0.3)
    async with (
        running(offsets_app(config), config, "offsets_port") as url,
        Offsets(url, patience_s=0) as offsets,
        aiohttp.ClientSession() as session,
    ):
        [claim] = await offsets.claim("billing", TOPIC, [0], "host")
        private_postgres.stop("fast")
        wanted = [Commit(TOPIC, 0, n, epoch=claim.epoch) for n in range(20)]
        refused = await asyncio.gather(*(offsets.commit("billing", one) for one in wanted), return_exceptions=True)
        assert all(isinstance(one, Unavailable) for one in refused)
        for path in ("", "/billing", "/billing/history?topic=t", "/billing/resets"):
            async with session.get(f"{url}/v1/consumers{path}") as answer:
                assert answer.status == 503
                assert int(answer.headers["Retry-After"]) >= 1
        async with session.get(f"{url}/readyz") as answer:
            assert answer.status == 503
        private_postgres.start()

        async def commits_again() -> bool:
            try:
                return (await offsets.commit("billing", Commit(TOPIC, 0, 30, epoch=claim.epoch))).offset == 30
            except EskitError:
                return False

        await until(commits_again)
        assert (await offsets.consumer("billing")).partitions[0].offset == 30
