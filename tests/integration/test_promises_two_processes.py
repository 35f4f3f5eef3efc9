"""P1, P2, P3 with two processes on one database: retries that meet the first attempt, processes that die."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import aiohttp
import psycopg
import pytest

from eskit.client.event_types import Appended, NewEvent
from eskit.client.eventstore import EventStore
from eskit.errors import Unavailable
from eskit.ids import uuid7
from eskit.settings import Settings
from tests.integration.eventstore_calls import GOOD, Api
from tests.services import ServiceProcess, processes, until

EVENTSTORE = "eventstore_svc"
WAITING = (
    "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = pg_locks.database"
    " WHERE locktype = 'advisory' AND NOT granted AND d.datname = current_database()"
)
LOCK = "SELECT pg_advisory_{}(hashtextextended('eskit.log eventstore', 0))"


@pytest.fixture
async def pair(config: Settings) -> AsyncIterator[tuple[ServiceProcess, ServiceProcess]]:
    """Two processes that serve the same log."""
    one, two = (ServiceProcess(EVENTSTORE, config, "eventstore_port") for _ in range(2))
    with processes(one, two):
        await one.start().ready()
        await two.start().ready()
        yield one, two


@pytest.fixture
async def apis(pair: tuple[ServiceProcess, ServiceProcess]) -> AsyncIterator[tuple[Api, Api]]:
    """Plain calls of both."""
    async with aiohttp.ClientSession() as session:
        yield Api(pair[0].url, session), Api(pair[1].url, session)


@contextmanager
def log_held(config: Settings) -> Iterator[psycopg.Connection]:
    """Nobody can append for the time inside: every append in flight waits for the log's lock."""
    with psycopg.connect(config.database_url, autocommit=True) as owner:
        owner.execute(LOCK.format("lock").encode())
        yield owner
        owner.execute(LOCK.format("unlock").encode())


def appends_waiting(owner: psycopg.Connection, count: int) -> bool:
    """Whether so many sessions wait for the log's lock."""
    return owner.execute(WAITING.encode()).fetchone() == (count,)


async def test_the_same_event_sent_to_both_at_once_is_stored_once(apis: tuple[Api, Api]) -> None:
    for _ in range(100):
        event = GOOD | {"event_id": str(uuid7())}
        answers = await asyncio.gather(*(api.append(event) for api in apis))
        assert sorted(status for status, _ in answers) == [200, 201]
        assert answers[0][1] == answers[1][1]
    assert (await apis[0].get("/v1/log/head"))[1]["position"] == 100


async def test_one_id_with_two_contents_sent_to_both_at_once_one_is_refused(apis: tuple[Api, Api]) -> None:
    for number in range(100):
        ident = str(uuid7())
        events = [GOOD | {"event_id": ident, "payload": {"n": number, "side": side}} for side in (1, 2)]
        answers = await asyncio.gather(*(api.append(event) for api, event in zip(apis, events, strict=True)))
        (_, won), (_, lost) = sorted(answers, key=lambda answer: answer[0])
        assert sorted(status for status, _ in answers) == [201, 409]
        assert (lost["code"], lost["event_id"]) == ("event-id-reused", ident)
        assert lost["position"] == won["events"][0]["position"] == number + 1


async def test_atomic_appends_that_overlap_sent_to_both_at_once_one_is_stored_whole(apis: tuple[Api, Api]) -> None:
    """The event they share stands in the middle of each."""
    for _ in range(50):
        shared = GOOD | {"event_id": str(uuid7())}
        requests = [[GOOD | {"event_id": str(uuid7())}, shared, GOOD | {"event_id": str(uuid7())}] for _ in apis]
        calls = (api.append({"events": events}) for api, events in zip(apis, requests, strict=True))
        assert sorted(status for status, _ in await asyncio.gather(*calls)) == [201, 409]
    assert (await apis[0].get("/v1/log/head"))[1]["position"] == 150


@pytest.mark.parametrize("again", ["same", "other"])
async def test_a_retry_in_one_process_meets_the_first_attempt_in_flight_in_the_other(
    config: Settings, apis: tuple[Api, Api], again: str
) -> None:
    """The first waits for the log's lock when the second comes; whoever gets it first, one event is stored."""
    event = GOOD | {"event_id": str(uuid7())}
    other = event if again == "same" else event | {"payload": {"n": 2}}
    with log_held(config) as owner:
        first = asyncio.create_task(apis[0].append(event))
        await until(lambda: appends_waiting(owner, 1))
        second = asyncio.create_task(apis[1].append(other))
        await until(lambda: appends_waiting(owner, 2))
    answers = [await first, await second]
    assert [status for status, _ in answers] == [201, 200 if again == "same" else 409]
    assert (await apis[0].get("/v1/log/head"))[1]["position"] == 1


async def test_a_first_attempt_whose_process_dies_is_resolved_by_the_other(
    config: Settings, pair: tuple[ServiceProcess, ServiceProcess], apis: tuple[Api, Api]
) -> None:
    """Killed while its append waits in Postgres, which stores it or not: the retry elsewhere makes it one event."""
    for number in range(10):
        event = GOOD | {"event_id": str(uuid7())}
        with log_held(config) as owner:
            first = asyncio.create_task(apis[0].append(event))
            await until(lambda: appends_waiting(owner, 1))
            await asyncio.to_thread(pair[0].kill)
            second = asyncio.create_task(apis[1].append(event))
            await until(lambda: appends_waiting(owner, 2))
        with pytest.raises(aiohttp.ClientError):
            await first
        status, answer = await second
        assert status in {200, 201}
        assert answer["events"][0]["position"] == number + 1
        await pair[0].start().ready()
    assert (await apis[0].get("/v1/log/head"))[1]["position"] == 10


class Writer:
    """Appends to both processes in turn; sends an event again, elsewhere, until somebody answers."""

    def __init__(self, clients: list[EventStore], dice: random.Random) -> None:
        self._clients, self._dice = clients, dice
        self.answers: dict[UUID, Appended] = {}
        self.unanswered = 0

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            count = self._dice.choice((1, 1, 3))
            events = [
                NewEvent(id=f"s{self._dice.randrange(20)}", event_type="Thing.Changed", payload={}, event_id=uuid7())
                for _ in range(count)
            ]
            for appended in await self._answered(events):
                self.answers[appended.event_id] = appended

    async def _answered(self, events: list[NewEvent]) -> list[Appended]:
        while True:
            try:
                return await self._dice.choice(self._clients).append(*events)
            except Unavailable:
                self.unanswered += 1


async def follow(clients: list[EventStore], seen: list[Any], stop: asyncio.Event) -> None:
    """Read the log behind the writers, a page from any process that is there."""
    turn = 0
    while True:
        last = stop.is_set()
        turn += 1
        try:
            page = await clients[turn % 2].log(len(seen) + 1)
        except Unavailable:
            continue
        seen += page.events
        if last and not page.events:
            return


@pytest.mark.slow
async def test_both_killed_at_random_under_writers(pair: tuple[ServiceProcess, ServiceProcess]) -> None:
    """Twelve kills: what was answered is there, once and where it was said; positions and versions are dense."""
    dice = random.Random(9)
    stop, read_on = asyncio.Event(), asyncio.Event()
    seen: list[Any] = []
    async with (
        EventStore(pair[0].url, patience_s=0.1) as one,
        EventStore(pair[1].url, patience_s=0.1) as two,
    ):
        writers = [Writer([one, two], random.Random(seed)) for seed in range(12)]
        tasks = [asyncio.create_task(writer.run(stop)) for writer in writers]
        reader = asyncio.create_task(follow([one, two], seen, read_on))
        for number in range(12):
            before = sum(len(writer.answers) for writer in writers)
            await until(lambda: sum(len(w.answers) for w in writers) > before + 50)  # noqa: B023
            await asyncio.sleep(dice.uniform(0, 0.1))
            victim = pair[number % 2]
            await asyncio.to_thread(victim.kill)
            await victim.start().ready()
        stop.set()
        await asyncio.gather(*tasks)
        read_on.set()
        await reader
    assert sum(writer.unanswered for writer in writers) > 0
    assert [event.position for event in seen] == list(range(1, len(seen) + 1))
    versions = defaultdict(list)
    for event in seen:
        versions[event.originator.id].append(event.originator.version)
    assert all(found == list(range(1, len(found) + 1)) for found in versions.values())
    answered = {ident: (a.position, a.originator) for writer in writers for ident, a in writer.answers.items()}
    # Every event was sent until somebody answered, so the log holds these and no other.
    assert {UUID(str(event.event_id)): (event.position, event.originator) for event in seen} == answered
