"""The event store's client against the service, also over connections that break."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from eskit.client.event_types import Append, Appended, NewEvent, Outcome, Part, Wanted
from eskit.client.eventstore import EventStore
from eskit.errors import EventIdReused, InvalidRequest, NotFound, Unavailable, VersionConflict
from eskit.settings import Settings
from eventstore_svc.app import eventstore_app
from tests.cutting import cutting
from tests.services import running


def placed(ident: str = "order-1", **more: object) -> NewEvent:
    return NewEvent(id=ident, event_type="Order.Placed", payload={"total": 1}, **more)  # type: ignore[arg-type]


@pytest.fixture
async def url(config: Settings) -> AsyncIterator[str]:
    async with running(eventstore_app(config), config, "eventstore_port") as found:
        yield found


@pytest.fixture
async def client(url: str) -> AsyncIterator[EventStore]:
    async with EventStore(url, patience_s=5) as opened:
        yield opened


def positions(outcome: Outcome) -> list[int]:
    assert not isinstance(outcome, Exception)
    return [appended.position for appended in outcome]


async def test_a_batch_tells_of_each_append_and_may_be_sent_again(client: EventStore) -> None:
    pair = [placed(), placed("order-2")]
    batch: list[Append] = [placed(expected="none"), placed(expected="none"), pair]
    first = await client.append_batch(batch)
    assert [positions(first[0]), positions(first[2])] == [[1], [2, 3]]
    assert isinstance(first[1], VersionConflict)
    assert (first[1].extra["expected"], first[1].extra["actual"]) == (0, 1)
    again = await client.append_batch(batch)
    assert [again[0], again[2]] == [first[0], first[2]]
    assert isinstance(again[1], VersionConflict)
    with pytest.raises(EventIdReused):
        await client.append(pair[0])
    with pytest.raises(InvalidRequest, match="1 to"):
        await client.append_batch([])


async def test_many_appends_go_in_pieces_and_in_order(client: EventStore) -> None:
    outcomes = [one async for one in client.append_many((placed(f"o-{n}") for n in range(450)), piece=100)]
    assert [positions(one) for one in outcomes] == [[n + 1] for n in range(450)]
    assert [e.originator.id async for e in client.events()] == [f"o-{n}" for n in range(450)]
    assert [e.position async for e in client.events(440, wanted=Wanted(selector="*.Placed"))] == list(range(440, 451))
    assert [e async for e in client.events(wanted=Wanted(entity_type="Other"))] == []


async def test_a_stream_in_parts_and_as_it_was(client: EventStore) -> None:
    await client.append(placed(), placed(), placed("another"))
    between = (await client.event((await client.append(placed()))[0].event_id)).recorded_at
    await asyncio.sleep(0.01)
    await client.append(placed())

    async def versions(part: Part, limit: int = 1000) -> list[int]:
        return [e.originator.version for e in (await client.stream("Order", "order-1", part, limit=limit)).events]

    assert await versions(Part()) == [1, 2, 3, 4]
    assert await versions(Part(from_version=2, to_version=3)) == [2, 3]
    assert await versions(Part(direction="backward"), limit=2) == [4, 3]
    assert await versions(Part(at=between)) == [1, 2, 3]
    assert await versions(Part(position=3)) == [1, 2]
    info = await client.stream_info("Order", "order-1")
    assert (info.version, info.count, info.first_position, info.last_position) == (4, 4, 1, 5)
    assert info.first_recorded_at <= between < info.last_recorded_at <= datetime.now(UTC)
    page = await client.streams("Order", limit=1)
    assert [s.id for s in page.streams] == ["another"]
    assert [s.id for s in (await client.streams("Order", cursor=page.next)).streams] == ["order-1"]
    with pytest.raises(NotFound):
        await client.stream_info("Order", "nobody")
    with pytest.raises(NotFound):
        await client.event(uuid4())


async def test_the_log_both_ways_by_cause_and_waiting(client: EventStore) -> None:
    await client.append(placed(), headers={"Eskit-Correlation-Id": "c-1"})
    await client.append(placed(), placed("x/y ü?"))
    assert [e.position for e in (await client.log(direction="backward", limit=2)).events] == [3, 2]
    assert [e.position for e in (await client.log(wanted=Wanted(correlation_id="c-1"))).events] == [1]
    assert (await client.stream("Order", "x/y ü?")).events[0].position == 3
    assert (await client.log(4, wait_s=0.05)).events == []
    waiting = asyncio.create_task(client.log(4, wait_s=20))
    await asyncio.sleep(0.05)
    await client.append(placed())
    assert [e.position for e in (await waiting).events] == [4]
    assert (await client.head()).position == 4


async def test_reading_all_goes_on_where_a_connection_broke(client: EventStore, url: str) -> None:
    [_ async for _ in client.append_many(placed(f"o-{n}") for n in range(1000))]
    async with cutting(url, 30_000) as broken, EventStore(broken, patience_s=5) as reader:
        assert [e.position async for e in reader.events(1)] == list(range(1, 1001))


async def test_a_tail_over_breaking_connections_misses_and_repeats_nothing(client: EventStore, url: str) -> None:
    total = 400
    async with cutting(url, 9_000) as broken, EventStore(broken, patience_s=5) as reader:

        async def follow(wanted: Wanted) -> list[int]:
            found: list[int] = []
            async with aclosing(reader.tail(1, wanted=wanted)) as events:
                async for event in events:
                    found.append(event.position)
                    if event.position == total:
                        break
            return found

        following = [asyncio.create_task(follow(w)) for w in (Wanted(), Wanted(selector="*.Paid"))]
        written: list[Appended] = []
        for number in range(total):
            kind = "Order.Paid" if number % 10 == 9 else "Order.Placed"
            written += await client.append(NewEvent(id="o", event_type=kind, payload={"n": number}))
        everything, paid = await asyncio.wait_for(asyncio.gather(*following), 60)
    assert everything == [one.position for one in written] == list(range(1, total + 1))
    assert paid == list(range(10, total + 1, 10))


async def test_a_tail_without_a_position_begins_behind_the_end(client: EventStore) -> None:
    await client.append(placed())
    async with aclosing(client.tail()) as events:
        first = asyncio.ensure_future(anext(events))
        while not first.done():
            await client.append(placed())
            await asyncio.sleep(0.02)
    assert (await first).position > 1


async def test_a_tail_ends_with_an_error_when_the_store_stays_away(config: Settings) -> None:
    async with running(eventstore_app(config), config, "eventstore_port") as url:
        async with EventStore(url) as writer:
            await writer.append(placed(), placed())
        client = await EventStore(url, patience_s=0.5).__aenter__()
        events = client.tail(1)
        assert [(await anext(events)).position for _ in range(2)] == [1, 2]
    with pytest.raises(Unavailable):
        await anext(events)
    await client.__aexit__(None, None, None)


async def test_a_tail_that_is_refused_says_why(client: EventStore) -> None:
    with pytest.raises(InvalidRequest, match="selector"):
        await anext(client.tail(1, wanted=Wanted(selector="no such thing")))


def test_events_are_made_with_ids_of_their_own() -> None:
    assert len({placed().event_id for _ in range(100)}) == 100
