"""Idempotency keys: what of a request makes it another one, and what may differ when it is sent again."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from eskit.settings import Settings
from tests.integration.crud_calls import Crud, Reply, crud_service

FIRST = {
    "Idempotency_Key": "k",
    "Eskit_User": "ann",
    "Eskit_Metadata": '{"reason":"asked"}',
    "Eskit_Occurred_On": "2026-01-31T12:00:00Z",
}
ANOTHER: list[dict[str, str | None]] = [
    {"Eskit_User": "eve"},
    {"Eskit_User": None},
    {"Eskit_Metadata": '{"reason":"another"}'},
    {"Eskit_Metadata": None},
    {"Eskit_Occurred_On": "2026-01-31T12:00:01Z"},
]
AGAIN: list[dict[str, str | None]] = [
    {},
    {"Eskit_Occurred_On": None},
    {"Eskit_Occurred_On": "2026-01-31T13:00:00+01:00"},
    {"Eskit_Metadata": ' { "reason" : "asked" } '},
    {"Eskit_Correlation_Id": "another", "Eskit_Causation_Id": "c", "X_Request_Id": "r"},
    {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
    {"Prefer": "return=minimal"},
]


@pytest.fixture
async def crud(config: Settings) -> AsyncIterator[Crud]:
    async with crud_service(config) as service:
        yield service


async def write(crud: Crud, kind: str, changed: dict[str, str | None]) -> Reply:
    headers = {name: value for name, value in (FIRST | changed).items() if value is not None}
    match kind:
        case "create":
            return await crud.create("new", {"a": 1}, **headers)
        case "merge":
            return await crud.merge("u", {"a": 1}, '"1"', **headers)
        case _:
            return await crud.delete("u", '"1"', **headers)


@pytest.mark.parametrize("kind", ["create", "merge", "delete"])
async def test_who_and_when_are_a_part_of_what_was_sent_and_how_it_came_is_not(crud: Crud, kind: str) -> None:
    """Eve is not told that her write was done when it was Ann's."""
    await crud.create("u", {})
    first = await write(crud, kind, {})
    assert first.status < 300
    for changed in ANOTHER:
        assert (await write(crud, kind, changed)).said == (409, "event-id-reused"), changed
    for changed in AGAIN:
        again = await write(crud, kind, changed)
        assert (again.status, again.body) == (first.status, first.body), changed
    assert len(await crud.events()) == 2
