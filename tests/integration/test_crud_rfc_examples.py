"""The examples of RFC 7396 and RFC 6902, sent to the service: what it then has, and what it tells of what fails."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from eskit.settings import Settings
from tests.integration.crud_calls import Crud, crud_service
from tests.unit.test_documents import MERGE_EXAMPLES
from tests.unit.test_documents_patches import EXAMPLES


@pytest.fixture
async def crud(config: Settings) -> AsyncIterator[Crud]:
    async with crud_service(config) as service:
        yield service


async def test_the_merge_patches_of_rfc_7396(crud: Crud) -> None:
    assert len(MERGE_EXAMPLES) == 15
    for number, (original, patch, result) in enumerate(MERGE_EXAMPLES):
        ident = f"u{number}"
        if original.startswith("{"):
            await crud.create(ident, original)
            merged = await crud.merge(ident, patch, '"1"')
            if not patch.startswith("{"):
                # It would make something else of the document than a document.
                assert merged.said == (422, "invalid-request")
            assert (await crud.get(ident)).body.decode() == (result if patch.startswith("{") else original)
        # As a part of a document anything goes: that is the same algorithm one level down.
        await crud.create(f"{ident} inside", f'{{"x":{original}}}')
        inside = await crud.merge(f"{ident} inside", f'{{"x":{patch}}}', '"1"', Prefer="return=representation")
        assert inside.status == 200
        expected = "{}" if patch == "null" else f'{{"x":{result}}}'
        assert inside.body.decode() == expected
        assert (await crud.get(f"{ident} inside")).body.decode() == expected


async def test_the_json_patches_of_rfc_6902(crud: Crud) -> None:
    assert len(EXAMPLES) == 15, "A.1 to A.16; A.13 follows"
    for number, (document, patch, result) in enumerate(EXAMPLES):
        ident = f"u{number}"
        await crud.create(ident, document)
        patched = await crud.patch(ident, patch, '"1"', Prefer="return=representation")
        if result is None:
            assert (patched.said, patched.json["field"]) == ((422, "patch-failed"), "patch[0]")
        else:
            assert (patched.status, json.loads(patched.body)) == (200, json.loads(result))
        assert (await crud.get(ident)).json == json.loads(document if result is None else result)


async def test_an_operation_that_says_op_twice(crud: Crud) -> None:  # RFC 6902, A.13
    await crud.create("u", '{"foo":"bar"}')
    twice = await crud.patch("u", '[{"op":"add","path":"/baz","value":"qux","op":"remove"}]')
    assert (twice.said, twice.json["field"]) == ((422, "invalid-request"), "/0")
    assert (await crud.get("u")).headers["ETag"] == '"1"'
