"""P1 when the connection breaks between append and answer: sent again with the same ids, an event is stored once."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any, NamedTuple

import aiohttp
import psycopg
import pytest

from eskit.ids import uuid7
from eskit.settings import Settings
from eventstore_svc.app import eventstore_app
from tests.integration.eventstore_calls import GOOD, Api
from tests.proxy import Proxy, proxied
from tests.services import config_for, running, until

# Where a connection is cut: nothing, a part, all but the last message of what was to go through.
CUTS = (("cut_answer", 0), ("cut_answer", 40), ("cut_answer", -6), ("cut_call", 0), ("cut_call", 100), ("cut_call", -1))


class Behind(NamedTuple):
    """A service whose database is behind a proxy, and the database itself."""

    api: Api
    proxy: Proxy
    database: psycopg.Connection


@pytest.fixture
def database(config: Settings) -> Iterator[psycopg.Connection]:
    """A look at the log that no proxy is before."""
    with psycopg.connect(config.database_url, options="-c search_path=eventstore", autocommit=True) as owner:
        yield owner


@pytest.fixture
async def behind(config: Settings, database: psycopg.Connection) -> AsyncIterator[Behind]:
    """The service in this process."""
    async with proxied(config.database_url) as (proxy, url):
        through = config_for(url)
        async with (
            running(eventstore_app(through), through, "eventstore_port") as service,
            aiohttp.ClientSession() as s,
        ):
            yield Behind(Api(service, s), proxy, database)


def request(dice: random.Random) -> dict[str, Any]:
    """Some events, on few streams; most bring their ids."""
    events = [
        GOOD | {"originator": {"id": f"s{dice.randrange(5)}"}, "payload": {"n": dice.random()}}
        for _ in range(dice.choice((1, 1, 1, 3)))
    ]
    if dice.random() < 0.8:
        events = [event | {"event_id": str(uuid7())} for event in events]
    return {"events": events}


async def told(behind: Behind, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The first answer in a word, and what is to be sent as its retry."""
    status, answer = await behind.api.append(body)
    events = body["events"]
    if status in {200, 201}:
        return "stored", _again(events, [event["event_id"] for event in answer["events"]])
    assert status == 503
    if answer["code"] == "outcome-unknown":
        return answer["code"], _again(events, answer["event_ids"])
    assert answer["code"] == "unavailable"
    given = [event["event_id"] for event in events if "event_id" in event]
    query = "SELECT count(*) FROM events WHERE event_id = ANY (%s::uuid[])"
    assert behind.database.execute(query, (given,)).fetchone() == (0,), "told that nothing is stored"
    return answer["code"], _again(events, [str(uuid7()) for _ in events])


def _again(events: list[dict[str, Any]], ids: list[str]) -> dict[str, Any]:
    return {"events": [{"event_id": ident} | event for event, ident in zip(events, ids, strict=True)]}


async def resolved(behind: Behind, body: dict[str, Any]) -> list[tuple[str, int]]:
    """Send it again until it is answered: ids and positions."""
    while True:
        status, answer = await behind.api.append(body)
        if status != 503:
            assert status in {200, 201}, answer
            return [(event["event_id"], event["position"]) for event in answer["events"]]


def has_cut(proxy: Proxy) -> bool:
    """Whether the proxy has done what it was told to."""
    return proxy.cut_answer is None and proxy.cut_call is None


@pytest.mark.slow
async def test_1000_cuts_between_service_and_postgres(behind: Behind) -> None:
    """A batch is cut, at times with no way back, and what comes behind it: every event is stored once, as is said."""
    dice = random.Random(2)
    words: Counter[str] = Counter()
    places: dict[str, int] = {}
    await behind.api.append(GOOD)
    for number in range(1000):
        bodies = [request(dice) for _ in range(3)]
        where, how_much = CUTS[number % len(CUTS)]
        setattr(behind.proxy, where, how_much)
        behind.proxy.refuse = number % 7 == 0
        first = [asyncio.create_task(told(behind, body)) for body in bodies[number % 2 :]]
        await until(partial(has_cut, behind.proxy))
        later = [asyncio.create_task(told(behind, body)) for body in bodies[: number % 2]]
        answers = await asyncio.gather(*first, *later)
        behind.proxy.refuse = False
        words.update(word for word, _ in answers)
        for found in await asyncio.gather(*(resolved(behind, body) for _, body in answers)):
            places.update(found)
    rows = behind.database.execute(
        "SELECT event_id::text, position FROM events WHERE position > 1 ORDER BY position"
    ).fetchall()
    assert [position for _, position in rows] == list(range(2, len(rows) + 2))
    assert dict(rows) == places
    assert min(words["stored"], words["outcome-unknown"], words["unavailable"]) > 10, words
