"""What was, through the client, on both kinds of services: old versions, restored ones, who changed what."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from eskit.client import About, Connections, Entities, EventStore, NewEvent
from eskit.errors import Deleted, InvalidRequest, NotFound, PreconditionFailed

Documents = Entities[dict[str, Any]]


@pytest.fixture
def documents(crud: Connections) -> Documents:
    return Entities(crud, "User")


async def moved(documents: Documents) -> list[int]:
    """An entity `u` of three versions; their positions."""
    written = [
        await documents.create({"name": "Ann", "home": {"city": "Bern"}}, ident="u", about=About(user="ann")),
        await documents.patch("u", {"home": {"city": "Basel"}}, version=1, about=About(user="bo")),
        await documents.patch("u", {"age": 30}, version=2, about=About(user="cy")),
    ]
    return [one.position for one in written]


async def test_an_entity_as_it_was_at_a_version_a_position_and_a_moment(documents: Documents) -> None:
    positions = await moved(documents)
    recorded = datetime.fromisoformat((await documents.history("u")).events[1].recorded_at)
    for then in (
        await documents.get("u", version=2),
        await documents.get("u", position=positions[1]),
        await documents.get("u", at=recorded),
    ):
        assert (then.version, then.document) == (2, {"name": "Ann", "home": {"city": "Basel"}})
    with pytest.raises(NotFound):
        await documents.get("u", at=recorded - timedelta(days=1))
    with pytest.raises(NotFound):
        await documents.get("u", version=4)
    with pytest.raises(InvalidRequest) as two:
        await documents.get("u", version=1, position=1)
    assert two.value.field == "position"


async def test_a_deleted_entity_is_shown_to_who_asks_and_restored(documents: Documents) -> None:
    await moved(documents)
    await documents.delete("u", version=3)
    gone = await documents.get("u", deleted=True)
    assert (gone.version, gone.deleted, gone.document["age"]) == (4, True, 30)
    assert (await documents.restore("u", version=4)).version == 5
    assert (await documents.get("u")).document == gone.document
    assert not (await documents.get("u", deleted=True)).deleted
    with pytest.raises(Deleted):
        await documents.get("u", version=4)


async def test_back_to_the_document_of_a_version(documents: Documents) -> None:
    await moved(documents)
    with pytest.raises(PreconditionFailed):
        await documents.restore("u", version=1, to_version=1)
    restored = await documents.restore("u", version=3, to_version=1, about=About(user="dee"))
    assert (await documents.get("u")).document == {"name": "Ann", "home": {"city": "Bern"}}
    last = [event async for event in documents.whole_history("u")][-1]
    assert (last.version, last.action, last.user) == (restored.version, "Restored", "dee")
    with pytest.raises(NotFound):
        await documents.restore("nobody", version="*")


async def test_the_history_forward_backward_and_of_one_field(documents: Documents) -> None:
    await moved(documents)
    page = await documents.history("u", limit=2)
    assert ([event.version for event in page.events], page.next) == ([1, 2], 3)
    assert [event.version async for event in documents.whole_history("u", direction="backward")] == [3, 2, 1]
    city = [event async for event in documents.whole_history("u", field="/home/city")]
    assert [event.user for event in city] == ["ann", "bo"]
    assert (city[1].changes[0].old, city[1].changes[0].new) == ("Bern", "Basel")
    with pytest.raises(NotFound):
        await documents.history("nobody")


async def test_blame_and_difference(documents: Documents) -> None:
    await moved(documents)
    blamed = {field.path: (field.user, field.version, field.value) for field in (await documents.blame("u")).fields}
    assert blamed == {"/name": ("ann", 1, "Ann"), "/home/city": ("bo", 2, "Basel"), "/age": ("cy", 3, 30)}
    assert (await documents.blame("u", version=1)).fields[1].value == "Bern"
    assert await documents.diff("u", 1, 2) == [{"op": "replace", "path": "/home/city", "value": "Basel"}]
    assert [change["path"] for change in await documents.diff("u", 1)] == ["/home/city", "/age"]
    assert "/home/city" in await documents.diff_as_text("u", 1, 2)
    with pytest.raises(NotFound):
        await documents.diff("u", 1, 9)


async def test_an_event_of_somebody_else_is_a_version_without_changes(documents: Documents, events: EventStore) -> None:
    await moved(documents)
    await events.append(NewEvent(id="u", event_type="User.Approved", payload={"by": "eve"}))
    assert (await documents.get("u")).version == 4
    last = (await documents.history("u", from_version=4)).events[0]
    assert (last.action, last.changes) == ("Approved", [])
    assert (await documents.patch("u", {"age": 31}, version=4)).version == 5
