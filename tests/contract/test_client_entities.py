"""Entities through the client, on both kinds of services: what it sends, what it makes of the answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from eskit.client import About, Connections, Entities
from eskit.errors import Deleted, EventIdReused, InvalidRequest, NotFound, PatchFailed, PreconditionFailed, TooLarge


class User(msgspec.Struct):
    name: str
    age: int | None = None


@pytest.fixture
def users(crud: Connections) -> Entities[User]:
    return Entities(crud, "User", User)


@pytest.fixture
def documents(crud: Connections) -> Entities[dict[str, Any]]:
    return Entities(crud, "User")


async def test_an_entity_from_its_creation_to_its_end(users: Entities[User]) -> None:
    created = await users.create(User("Ann"))
    assert (created.version, created.position) == (1, 1)
    ident = created.id
    assert (await users.get(ident)).document == User("Ann")
    assert (await users.put(ident, User("Ann", 30), version=1)).version == 2
    assert (await users.patch(ident, {"age": 31}, version=2)).version == 3
    operations: list[dict[str, Any]] = [
        {"op": "test", "path": "/age", "value": 31},
        {"op": "add", "path": "/x", "value": None},
    ]
    assert (await users.patch(ident, operations, version="*")).version == 4
    got = await users.get(ident)
    assert (got.version, got.position, got.document) == (4, 4, User("Ann", 31))
    assert msgspec.json.decode(got.body) == {"name": "Ann", "age": 31, "x": None}
    assert (await users.get(ident, version=2)).document == User("Ann", 30)
    assert await users.delete(ident, version=4) == 5
    with pytest.raises(Deleted) as gone:
        await users.get(ident)
    assert gone.value.extra["version"] == 5


async def test_what_the_service_raises_is_raised_here(documents: Entities[dict[str, Any]]) -> None:
    await documents.create({"a": 1}, ident="a/b ä")
    with pytest.raises(PreconditionFailed) as stale:
        await documents.put("a/b ä", {}, version=7)
    assert stale.value.extra["version"] == 1
    with pytest.raises(PreconditionFailed):
        await documents.create({}, ident="a/b ä")
    with pytest.raises(NotFound):
        await documents.get("nobody")
    with pytest.raises(PatchFailed) as failed:
        await documents.patch("a/b ä", [{"op": "test", "path": "/a", "value": 2}], version="*")
    assert failed.value.field == "patch[0]"
    with pytest.raises(InvalidRequest) as invalid:
        await documents.put("a/b ä", b'{"a":{"b":NaN}}', version="*")
    assert invalid.value.field == "/a/b"
    with pytest.raises(TooLarge):
        await documents.create({"a": "x" * 1_000_000})


async def test_a_key_makes_a_write_happen_once(documents: Entities[dict[str, Any]]) -> None:
    about = About(key="signup-7")
    first = await documents.create({"a": 1}, about=about)
    assert await documents.create({"a": 1}, about=about) == first
    with pytest.raises(EventIdReused):
        await documents.create({"a": 2}, about=about)


async def test_the_history_says_who_and_when_and_what(documents: Entities[dict[str, Any]]) -> None:
    when = datetime(2026, 1, 31, 12, tzinfo=UTC)
    about = About(user="ann", correlation_id="c", causation_id="e", metadata={"why": "ändern"}, occurred_on=when)
    await documents.create({"n": 0}, ident="u", about=about)
    for n in range(1, 120):
        await documents.patch("u", {"n": n}, version=n)
    events = [event async for event in documents.whole_history("u")]
    assert [event.version for event in events] == list(range(1, 121))
    first, last = events[0], events[-1]
    assert (first.user, first.correlation_id, first.causation_id) == ("ann", "c", "e")
    assert datetime.fromisoformat(first.occurred_on) == when
    assert first.metadata["why"] == "ändern"
    assert (first.changes[0].old, first.changes[0].new) == (msgspec.UNSET, 0)
    assert (last.changes[0].path, last.changes[0].old, last.changes[0].new) == ("/n", 118, 119)
    assert (await documents.history("u", from_version=120)).next is None
