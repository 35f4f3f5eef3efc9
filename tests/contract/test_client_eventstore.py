"""Events through the client, on both kinds of services: what is stored, what is refused, every way to read."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from eskit.client import Connections, Entities, EventStore, NewEvent
from eskit.client.event_types import Part, Wanted
from eskit.errors import EventIdReused, InvalidRequest, NotFound, TooLarge, VersionConflict
from eskit.events import Event
from tests.services import until

ORDER = "Order"


def placed(ident: str = "o", **more: Any) -> NewEvent:
    return NewEvent(id=ident, event_type="Order.Placed", payload={"total": 40}, **more)


def shipped(ident: str = "o", **more: Any) -> NewEvent:
    return NewEvent(id=ident, event_type="Order.Shipped", payload={}, **more)


async def test_versions_and_positions_are_dense(events: EventStore) -> None:
    await events.append(placed(), NewEvent(id="c", event_type="Customer.Charged", payload={}), shipped())
    await events.append(shipped())
    log = (await events.log()).events
    assert [(e.position, e.entity_type, e.originator.version) for e in log] == [
        (1, "Order", 1), (2, "Customer", 1), (3, "Order", 2), (4, "Order", 3)
    ]  # fmt: skip
    assert (await events.head()).position == 4
    assert [e.recorded_at for e in log] == sorted(e.recorded_at for e in log)


@pytest.mark.parametrize(
    "refused",
    [{"version": 1}, {"version": 3}, {"expected": 0}, {"expected": 2}, {"expected": "none"}],
)
async def test_what_expects_another_version_is_refused(events: EventStore, refused: dict[str, Any]) -> None:
    await events.append(placed())
    with pytest.raises(VersionConflict) as conflict:
        await events.append(NewEvent(id="x", event_type="X.Y", payload={}), shipped(**refused))
    assert conflict.value.extra["actual"] == 1
    assert conflict.value.field is not None
    assert conflict.value.field.startswith("events[1].")
    assert (await events.head()).position == 1  # all or nothing


async def test_what_expects_the_present_version_is_stored(events: EventStore) -> None:
    with pytest.raises(VersionConflict):
        await events.append(placed(expected="exists"))
    for said in ({"expected": "none"}, {"version": 2}, {"expected": 2}, {"expected": "exists"}, {"expected": "any"}):
        await events.append(placed(**said))
    assert (await events.stream_info(ORDER, "o")).version == 5


async def test_an_append_sent_again_is_stored_once(events: EventStore) -> None:
    both = [placed(), shipped()]
    first = await events.append(*both)
    assert await events.append(*both) == first
    with pytest.raises(EventIdReused) as reused:
        await events.append(placed(ident="p", event_id=both[0].event_id))
    assert reused.value.field == "events[0].event_id"
    with pytest.raises(EventIdReused):
        await events.append(both[0])  # a part of an append is another append
    assert (await events.head()).position == 2


async def test_independent_appends_fail_alone(events: EventStore) -> None:
    good, stale, more = await events.append_batch([placed(version=1), placed(version=1), [shipped(), shipped()]])
    assert isinstance(good, list)
    assert isinstance(stale, VersionConflict)
    assert isinstance(more, list)
    assert [one.position for one in more] == [2, 3]
    outcomes = [outcome async for outcome in events.append_many([shipped() for _ in range(5)], piece=2)]
    assert all(isinstance(outcome, list) for outcome in outcomes)
    assert (await events.head()).position == 8


async def test_bad_input_is_refused_by_the_same_rules(events: EventStore) -> None:
    with pytest.raises(InvalidRequest) as wrong:
        await events.append(NewEvent(id="a\nb", event_type="Order.Placed", payload={}))
    assert wrong.value.field == "events[0].originator.id"
    with pytest.raises(InvalidRequest):
        await events.append(NewEvent(id="a", event_type="Order", payload={}))
    with pytest.raises(TooLarge):
        await events.append(NewEvent(id="a", event_type="Order.Placed", payload={"x": "y" * 1_000_000}))
    assert (await events.head()).position == 0


async def test_a_stream_and_its_parts(events: EventStore) -> None:
    for _ in range(5):
        await events.append(shipped())
    await events.append(placed("p"))

    async def versions(part: Part, limit: int = 100) -> list[int]:
        return [event.originator.version for event in (await events.stream(ORDER, "o", part, limit=limit)).events]

    assert await versions(Part(), limit=2) == [1, 2]
    assert await versions(Part(from_version=2, to_version=4)) == [2, 3, 4]
    assert await versions(Part(direction="backward"), limit=2) == [5, 4]
    assert await versions(Part(position=3)) == [1, 2, 3]
    assert await versions(Part(at=datetime.now(UTC) + timedelta(days=1))) == [1, 2, 3, 4, 5]
    page = await events.stream(ORDER, "o", limit=2)
    assert page.next == 3
    with pytest.raises(NotFound):
        await events.stream(ORDER, "nobody")
    info = await events.stream_info(ORDER, "o")
    assert (info.version, info.count, info.first_position, info.last_position) == (5, 5, 1, 5)
    with pytest.raises(NotFound):
        await events.stream_info(ORDER, "nobody")


async def test_the_list_of_streams_is_in_order(events: EventStore) -> None:
    for ident in ("b", "a", "ä", "B"):
        await events.append(placed(ident), NewEvent(id=ident, event_type="User.Created", payload={}))
    page = await events.streams(limit=3)
    rest = await events.streams(limit=100, cursor=page.next)
    found = [(stream.entity_type, stream.id) for stream in [*page.streams, *rest.streams]]
    assert found == sorted((kind, ident) for kind in ("Order", "User") for ident in ("b", "a", "ä", "B"))
    assert rest.next is None
    assert [stream.id for stream in (await events.streams("User")).streams] == ["B", "a", "b", "ä"]


async def test_the_log_by_selectors_types_and_causes(events: EventStore) -> None:
    cause = placed(metadata={"correlation_id": "c1"})
    await events.append(cause)
    await events.append(NewEvent(id="u", event_type="User.Created", payload={}, metadata={"correlation_id": "c1"}))
    await events.append(NewEvent(id="u", event_type="User.Deleted", payload={}))

    async def positions(**wanted: Any) -> list[int]:
        return [event.position for event in (await events.log(wanted=Wanted(**wanted))).events]

    assert await positions(selector="User.*") == [2, 3]
    assert await positions(selector="*.Deleted,Order.Placed") == [1, 3]
    assert await positions(entity_type="Order") == [1]
    assert await positions(correlation_id="c1") == [1, 2]
    backward = await events.log(limit=2, direction="backward")
    assert ([event.position for event in backward.events], backward.next) == ([3, 2], 1)
    assert (await events.log(2, limit=1)).next == 3
    assert [event.position async for event in events.events(2)] == [2, 3]
    assert (await events.event(cause.event_id)).position == 1
    with pytest.raises(NotFound):
        await events.event(uuid4())


async def test_the_live_tail_tells_what_comes(events: EventStore) -> None:
    await events.append(placed())
    seen: list[Event] = []

    async def follow() -> None:
        async for event in events.tail(1, wanted=Wanted(selector="Order.*")):
            seen.append(event)
            if len(seen) == 3:
                return

    following = asyncio.create_task(follow())
    await until(lambda: seen)
    await events.append(NewEvent(id="u", event_type="User.Created", payload={}), shipped())
    await events.append(shipped())
    await asyncio.wait_for(following, 15)
    assert [event.position for event in seen] == [1, 3, 4]


async def test_who_waits_for_an_event_gets_it(events: EventStore) -> None:
    waiting = asyncio.create_task(events.log(1, wait_s=15.0))
    await events.append(placed())
    assert [event.position for event in (await waiting).events] == [1]


async def test_what_is_written_to_entities_is_in_the_log(events: EventStore, crud: Connections) -> None:
    users = Entities(crud, "User")
    await users.create({"name": "Ann"}, ident="u")
    await users.put("u", {"name": "Ann", "city": None}, version=1)
    await users.patch("u", {"name": "Bo"}, version=2)
    await users.delete("u", version=3)
    log = (await events.log()).events
    assert [(event.event_type, event.data()) for event in log] == [
        ("User.Created", {"name": "Ann"}),
        ("User.Updated", {"json_patch": [{"op": "add", "path": "/city", "value": None}]}),
        ("User.Updated", {"merge_patch": {"name": "Bo"}}),
        ("User.Deleted", {}),
    ]
    assert isinstance(log[0].event_id, UUID)
