"""The same calls, by chance, to both kinds of services: every answer and every error is the same."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import msgspec
import pytest

from eskit.client import About, Entities, EventStore, NewEvent
from eskit.client.event_types import Part
from eskit.errors import EskitError
from tests.clients import in_memory, on_postgres

STEPS = 250
IDENTS = ("a", "b", "ä/ö")
DOCUMENTS = (
    b'{"n":1}',
    b'{"n":1.0,"big":12345678901234567890,"e":1e0}',
    b'{"n":null,"list":[null,{"x":null}]}',
    b'{"":{"a/b":1,"~":{}}}',
    b'{"n":1,"n":2}',
    b"[1]",
    b"{",
)
PATCHES: tuple[Any, ...] = (
    {"n": 2},
    {"n": None},
    {"": {"a/b": None}},
    [{"op": "test", "path": "/n", "value": 1}],
    [{"op": "replace", "path": "/n", "value": None}],
    [{"op": "remove", "path": "/big"}],
    [{"op": "add", "path": "/list/-", "value": 1}, {"op": "move", "from": "/n", "path": "/m"}],
    [{"op": "replace", "path": "", "value": 1}],
)

Call = Callable[[Entities[dict[str, Any]], EventStore], Awaitable[Any]]


def write(chance: random.Random, ident: str, version: Any) -> Call:
    about = About(key=f"key-{chance.randrange(60)}", user=chance.choice([None, "ann"]))
    document, patch = chance.choice(DOCUMENTS), chance.choice(PATCHES)
    back = chance.choice([None, 1, 2, 3])
    calls: list[Call] = [
        lambda crud, _: crud.create(document, ident=ident, about=about),
        lambda crud, _: crud.put(ident, document, version=version, about=about),
        lambda crud, _: crud.patch(ident, patch, version=version, about=about),
        lambda crud, _: crud.patch(ident, patch, version="*", about=about),
        lambda crud, _: crud.delete(ident, version=version, about=about),
        lambda crud, _: crud.restore(ident, version=version, to_version=back, about=about),
    ]
    return chance.choice(calls)


def append(chance: random.Random, ident: str) -> Call:
    event = NewEvent(
        id=ident,
        event_type=chance.choice(["User.Approved", "User.Updated", "User.Deleted", "Order.Placed"]),
        payload=chance.choice(
            [{}, {"merge_patch": {"n": 7}}, {"json_patch": [{"op": "add", "path": "/x", "value": 1}]}]
        ),
        event_id=UUID(int=chance.randrange(60)),
        expected=chance.choice([None, "any", "none", "exists", 0, 1, 2]),
    )
    events = [event, NewEvent(id="c", event_type="C.D", payload={}, event_id=UUID(int=chance.randrange(60, 99)))]
    size = chance.choice([1, 2])
    return lambda _, store: store.append(*events[:size])


def read(chance: random.Random, ident: str, _: Any) -> Call:
    some = chance.randint(1, 9)
    backward = chance.choice([True, False])
    calls: list[Call] = [
        lambda crud, _: crud.get(ident),
        lambda crud, _: crud.get(ident, version=some),
        lambda crud, _: crud.get(ident, position=some * 10),
        lambda crud, _: crud.get(ident, deleted=True),
        lambda crud, _: crud.diff(ident, 1, some),
        lambda crud, _: crud.diff_as_text(ident, some),
        lambda crud, _: crud.history(ident, limit=some, direction="backward" if backward else "forward"),
        lambda crud, _: crud.history(ident, field="/n"),
        lambda crud, _: crud.blame(ident),
        lambda _, store: store.stream("User", ident, Part(from_version=some), limit=3),
        lambda _, store: store.stream("User", ident, Part(position=some * 10, direction="backward"), limit=3),
        lambda _, store: store.log(some * 10, limit=some, direction="backward" if backward else "forward"),
        lambda _, store: store.streams(limit=some),
        lambda _, store: store.stream_info("User", ident),
    ]
    return chance.choice(calls)


async def outcome(call: Awaitable[Any]) -> Any:
    try:
        return without_times(await call)
    except EskitError as error:
        said = {name: value for name, value in error.extra.items() if name not in {"request_id", "event_id"}}
        return type(error), error.field, said


def without_times(answer: Any) -> Any:
    """What no two runs have in common: when it was, and the ids that were made up."""

    def cleaned(value: Any) -> Any:
        if isinstance(value, dict):
            left_out = {"recorded_at", "occurred_on", "first_recorded_at", "last_recorded_at"}
            return {name: cleaned(inner) for name, inner in value.items() if name not in left_out}
        return [cleaned(inner) for inner in value] if isinstance(value, (list, tuple)) else value

    return cleaned(msgspec.json.decode(msgspec.json.encode(answer)))


@pytest.mark.parametrize("seed", [1, 2])
async def test_every_answer_is_the_same(database_url: str, seed: int) -> None:
    chance = random.Random(seed)
    refused = stored = 0
    async with on_postgres(database_url) as real, in_memory() as memory:
        clients = [(Entities(one.crud, "User"), EventStore(one.eventstore)) for one in (real, memory)]
        for step in range(STEPS):
            ident, version = chance.choice(IDENTS), chance.choice(["*", 1, 2, 3, 4, 5])
            made = chance.choice([write, write, read])(chance, ident, version)
            call = append(chance, ident) if chance.random() < 0.15 else made
            one, other = [await outcome(call(*client)) for client in clients]
            assert one == other, (step, one, other)
            refused += isinstance(one, tuple)
            stored = (await clients[0][1].head()).position
            assert (await clients[1][1].head()).position == stored
    assert refused > 20
    assert stored > 20
