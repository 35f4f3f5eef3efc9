"""The history of an entity: what changed, in pages, over any length and any life."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from eskit.settings import Settings
from tests.integration.crud_calls import Crud, crud_service


@pytest.fixture
async def crud(config: Settings) -> AsyncIterator[Crud]:
    async with crud_service(config) as service:
        yield service


async def test_history_says_which_fields_changed(crud: Crud) -> None:
    await crud.create("u", '{"a":1.0,"b/c":{"d":1},"list":[1]}')
    await crud.put("u", '{"a":1,"b/c":{"d":2,"e":null},"list":[1,null]}')
    await crud.delete("u")
    await crud.create("u", {"anew": True})
    page = (await crud.history("u")).json
    assert page["next"] is None
    assert [(e["version"], e["action"]) for e in page["events"]] == [
        (1, "Created"),
        (2, "Updated"),
        (3, "Deleted"),
        (4, "Created"),
    ]
    assert page["events"][1]["changes"] == [
        {"path": "/a", "old": 1.0, "new": 1},
        {"path": "/b~1c/d", "old": 1, "new": 2},
        {"path": "/b~1c/e", "new": None},
        {"path": "/list", "old": [1], "new": [1, None]},
    ]
    assert page["events"][2]["changes"][0] == {"path": "/a", "old": 1}
    assert page["events"][3]["changes"] == [{"path": "/anew", "new": True}]
    assert b'"old":1.0,"new":1}' in (await crud.history("u")).body


async def test_history_in_pages(crud: Crud) -> None:
    await crud.create("u", {"n": 0})
    for n in range(1, 8):
        await crud.merge("u", {"n": n})
    seen: list[list[int]] = []
    first: int | None = 1
    while first is not None:
        page = (await crud.history("u", f"?limit=3&from_version={first}")).json
        seen.append([e["version"] for e in page["events"]])
        first = page["next"]
    assert seen == [[1, 2, 3], [4, 5, 6], [7, 8]]
    middle = (await crud.history("u", "?from_version=4&limit=1")).json["events"]
    assert middle[0]["changes"] == [{"path": "/n", "old": 2, "new": 3}]
    beyond = await crud.history("u", "?from_version=99")
    assert (beyond.status, beyond.json) == (200, {"events": [], "next": None})
    assert (await crud.history("nobody")).said == (404, "not-found")


async def test_a_history_longer_than_any_page_is_read_to_its_end(crud: Crud) -> None:
    await crud.create("u", {"n": 0})
    for _ in range(25):
        await crud.foreign("u", payload=b'{"x":"%s"}' % (b"x" * 100))
    for n in range(1, 250):
        await crud.merge("u", {"n": n, f"f{n}": n})
    got = await crud.get("u")
    assert (got.json["n"], len(got.json), got.headers["ETag"]) == (249, 250, '"275"')
    assert (await crud.get("u", "?version=100")).json["n"] == 74


async def test_large_documents_are_read_in_small_pages(crud: Crud) -> None:
    await crud.create("u", {"text": ""})
    for n in range(110):
        await crud.foreign("u", "Updated", b'{"merge_patch":{"text":"%d%s"}}' % (n, b"x" * 90_000))
    page = (await crud.history("u")).json
    assert page["next"] is not None, "a page is bounded in bytes too"
    assert page["next"] < 100
    assert (await crud.get("u")).json["text"].startswith("109")


async def test_an_entity_created_anew_continues_its_history(crud: Crud) -> None:
    await crud.create("u", {"life": 1})
    await crud.delete("u", match='"1"')
    anew = await crud.create("u", {"life": 2})
    assert (anew.status, anew.headers["ETag"], anew.json["version"]) == (201, '"3"', 3)
    assert (await crud.get("u")).json == {"life": 2}
    assert (await crud.get("u", "?version=1")).json == {"life": 1}
    assert (await crud.get("u", "?version=2")).said == (410, "deleted")
    beyond = await crud.get("u", "?version=4")
    assert (beyond.said, beyond.json["version"]) == ((404, "not-found"), 3)


@pytest.mark.parametrize("levels", [99, 100, 101])
async def test_what_a_write_answers_after_a_foreign_event_is_what_is_read(crud: Crud, levels: int) -> None:
    await crud.create("u", {"a": []})
    await crud.foreign("u", "Updated", b'{"merge_patch":{"a":%s}}' % (b"[" * levels + b"1" + b"]" * levels))
    for patch in ([{"op": "add", "path": "/a/-", "value": 2}], [{"op": "add", "path": "/n", "value": None}]):
        written = await crud.patch("u", patch, Prefer="return=representation")
        read = await crud.get("u")
        assert (written.status, written.headers["ETag"], written.body) == (200, read.headers["ETag"], read.body)
    assert (await crud.get("u")).json["n"] is None
    assert (await crud.put("u", read.body, Prefer="return=representation")).body == read.body
