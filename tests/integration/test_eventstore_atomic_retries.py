"""An atomic append that comes again is answered only whole: any other cut of the same events is refused."""

from __future__ import annotations

from typing import Any

import pytest

from eskit.ids import uuid7
from tests.integration.eventstore_calls import GOOD, Api

Events = list[dict[str, Any]]


@pytest.fixture
def five() -> Events:
    """Five events with ids of their own, on three streams."""
    return [GOOD | {"event_id": str(uuid7()), "originator": {"id": ident}} for ident in "abacb"]


CUTS = {
    "prefix": lambda e: e[:3],
    "suffix": lambda e: e[2:],
    "middle": lambda e: e[1:4],
    "first alone": lambda e: e[:1],
    "last alone": lambda e: e[-1:],
    "with a gap": lambda e: [e[0], e[2], e[4]],
    "reordered": lambda e: [e[1], e[0], *e[2:]],
    "backwards": lambda e: e[::-1],
    "one more behind": lambda e: [*e, GOOD | {"event_id": str(uuid7())}],
    "one more before": lambda e: [GOOD | {"event_id": str(uuid7())}, *e],
    "one exchanged": lambda e: [*e[:4], GOOD | {"event_id": str(uuid7())}],
}


async def test_again_whole_is_the_first_answer(api: Api, five: Events) -> None:
    first = await api.append({"events": five})
    assert first[0] == 201
    await api.append({"events": [GOOD | {"originator": {"id": ident}} for ident in "abc"]})
    assert await api.append({"events": five}) == (200, first[1])


@pytest.mark.parametrize("cut", CUTS.values(), ids=list(CUTS))
async def test_again_in_part_is_refused_and_stores_nothing(api: Api, five: Events, cut: Any) -> None:
    await api.append({"events": five})
    status, problem = await api.append({"events": cut(five)})
    assert (status, problem["code"]) == (409, "event-id-reused")
    assert problem["field"].startswith("events[")
    assert (await api.get("/v1/log/head"))[1]["position"] == 5


@pytest.mark.parametrize("index", [0, 2, 4])
async def test_a_member_of_an_atomic_append_alone_is_refused(api: Api, five: Events, index: int) -> None:
    """Also in the form of one event without the list around it."""
    await api.append({"events": five})
    status, problem = await api.append(five[index])
    assert (status, problem["code"], problem["field"]) == (409, "event-id-reused", "event_id")


@pytest.mark.parametrize(("first", "second"), [(1, 1), (2, 3), (1, 4), (4, 1)])
async def test_two_appends_merged_into_one_are_refused(api: Api, five: Events, first: int, second: int) -> None:
    """They stand side by side in the log, as one append of that size would."""
    await api.append({"events": five[:first]})
    await api.append({"events": five[first : first + second]})
    status, problem = await api.append({"events": five[: first + second]})
    assert (status, problem["code"]) == (409, "event-id-reused")


async def test_the_tail_of_one_append_and_the_head_of_the_next_are_refused(api: Api, five: Events) -> None:
    """As large as either of them was, and side by side."""
    await api.append({"events": five[:2]})
    await api.append({"events": five[2:4]})
    status, problem = await api.append({"events": five[1:3]})
    assert (status, problem["code"]) == (409, "event-id-reused")


async def test_one_event_alone_and_in_a_list_are_the_same_append(api: Api, five: Events) -> None:
    first = await api.append(five[0])
    assert await api.append({"events": five[:1]}) == (200, first[1])


async def test_again_whole_with_one_event_changed_names_that_event(api: Api, five: Events) -> None:
    await api.append({"events": five})
    changed = [*five[:3], five[3] | {"payload": {"n": 2}}, five[4]]
    status, problem = await api.append({"events": changed})
    assert (status, problem["code"], problem["field"]) == (409, "event-id-reused", "events[3].event_id")
    assert problem["event_id"] == five[3]["event_id"]
