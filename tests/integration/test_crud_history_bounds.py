"""What a request about the past may cost: large documents, many fields, long histories."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from crud_svc.entities import history
from crud_svc.entities.reading import Reader
from eskit.settings import Settings
from tests.integration.crud_calls import Crud, crud_service, path


@pytest.fixture
async def crud(config: Settings) -> AsyncIterator[Crud]:
    async with crud_service(config) as service:
        yield service


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many events each look at a stream asked for."""
    asked: list[int] = []
    events = Reader.events

    def counted(reader: Reader, target: Any, first: int = 1, last: int = 0) -> Any:
        asked.append(last - first + 1)
        return events(reader, target, first, last)

    monkeypatch.setattr(Reader, "events", counted)
    return asked


async def test_blame_of_many_fields_set_by_many_changes(crud: Crud) -> None:
    """Each of the changes compared with each of the fields would be half a thousand million comparisons."""
    document = {f"f{n}": n for n in range(22_000)}
    assert (await crud.create("u", document)).status == 201
    await crud.merge("u", {"f7": "x", "more": {"a": 1, "b": {}}})
    await crud.merge("u", {"more": {"b": {"c": 1}}})
    await crud.merge("u", {"more": {"b": {"c": None}}})
    told = {field["path"]: field["version"] for field in (await crud.call("GET", f"{path('u')}/blame")).json["fields"]}
    changed = {"/f7": 2, "/more/a": 2, "/more/b": 4}
    assert told == {f"/f{n}": 1 for n in range(22_000)} | changed


async def test_one_event_of_a_history_is_not_paid_for_with_many(crud: Crud, reads: list[int]) -> None:
    await crud.create("u", {})
    for n in range(40):
        await crud.merge("u", {"n": n})
    page = (await crud.history("u", "?direction=backward&limit=1")).json
    assert ([event["version"] for event in page["events"]], page["next"]) == ([41], 40)
    assert sum(reads) == 2, "the one, and the next, to know that there is one"


async def test_backward_large_events_are_held_a_few_at_a_time(
    crud: Crud, reads: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MAX_HELD_BYTES", 100_000)
    await crud.create("u", {"n": 0})
    for n in range(1, 40):
        await crud.merge("u", {"n": n, "text": str(n) * 10_000})
    page = (await crud.history("u", "?direction=backward")).json
    assert [(event["version"], event["changes"][0]["new"]) for event in page["events"]] == [
        (version, version - 1) for version in range(40, 0, -1)
    ]
    assert max(reads[1:]) <= 20, "the first look has shown how large they are"
