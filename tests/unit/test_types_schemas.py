"""Schemas as they are taken in: their bounds, and that nothing in them leads out of them."""

from __future__ import annotations

from typing import Any

import pytest

from crud_svc.types import schemas
from crud_svc.types.schemas import read
from eskit.errors import InvalidRequest


def refusal(document: dict[str, Any]) -> tuple[str | None, str]:
    with pytest.raises(InvalidRequest) as caught:
        read(document)
    return caught.value.field, caught.value.detail


@pytest.mark.parametrize("draft", schemas.DRAFTS)
def test_three_drafts_are_known_with_and_without_the_empty_fragment(draft: str) -> None:
    assert read({"$schema": draft}).draft == read({"$schema": draft + "#"}).draft == schemas.DRAFTS[draft]
    assert read({}).draft == "2020-12"


@pytest.mark.parametrize(
    "given", ["http://json-schema.org/draft-04/schema#", "https://example.com/x", "", 7, None, {"a": 1}]
)
def test_any_other_draft_is_refused(given: Any) -> None:
    assert refusal({"$schema": given})[0] == "/schema/$schema"


@pytest.mark.parametrize(
    "target",
    ["http://127.0.0.1/x", "file:///etc/passwd", "other.json", "other.json#/a", "//h/x", "#anchor", "/etc/passwd", "",
     "https://json-schema.org/draft/2020-12/schema", 7, None, ["#"]],
)  # fmt: skip
def test_no_reference_leaves_the_document(target: Any) -> None:
    field, detail = refusal({"properties": {"a": {"items": {"$ref": target}}}})
    assert field == "/schema/properties/a/items/$ref"
    assert "must stay within the document" in detail


@pytest.mark.parametrize("target", ["#/nowhere", "#/properties", "#/examples/0", "#/enum/0", "#/$defs", "#/x-mine"])
def test_a_reference_leads_to_a_schema_and_not_to_data(target: str) -> None:
    document = {
        "$ref": target,
        "properties": {"a": {}},
        "examples": [{"$ref": "file:///etc/passwd"}],
        "enum": [{"type": "string"}],
        "$defs": {},
        "x-mine": {"type": "string"},
    }
    assert refusal(document)[0] == "/schema/$ref"


def test_references_are_unescaped() -> None:
    document = {"$defs": {"a/b~c d": {"type": "string"}}, "$ref": "#/$defs/a~1b~0c%20d"}
    assert "/$defs/a~1b~0c d" in read(document).parts


@pytest.mark.parametrize(
    "keyword", ["$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveRef", "$recursiveAnchor", "$vocabulary"]
)
def test_other_ways_to_name_a_part_are_refused_and_say_what_to_do(keyword: str) -> None:
    field, detail = refusal({"$defs": {"a": {keyword: "x"}}})
    assert field == f"/schema/$defs/a/{keyword}"
    assert "is not taken" in detail


@pytest.mark.parametrize("keyword", ["$id", "$schema"])
def test_a_part_is_no_document_of_its_own(keyword: str) -> None:
    assert (
        refusal({"items": {keyword: "https://json-schema.org/draft/2020-12/schema"}})[0] == f"/schema/items/{keyword}"
    )
    assert read({"$id": "https://example.com/mine"}).weight == 1


def test_members_and_data_may_be_called_like_keywords() -> None:
    names = ("$ref", "$id", "$schema", "$anchor", "properties", "items")
    document = {"properties": {name: {"type": "string"} for name in names}, "const": {"$ref": "file:///etc/passwd"}}
    assert set(read(document).parts) == {"", *(f"/properties/{name}" for name in names)}


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"x": "y" * schemas.MAX_BYTES}, "/schema"),
        ({"$defs": {str(n): {} for n in range(schemas.MAX_PARTS)}}, f"/schema/$defs/{schemas.MAX_PARTS - 1}"),
        ({"properties": {str(n): {"pattern": "a"} for n in range(101)}}, "/schema/properties/100"),
        ({"pattern": "a" * (schemas.MAX_PATTERN + 1)}, "/schema"),
        ({"patternProperties": {"a" * (schemas.MAX_PATTERN + 1): {}}}, "/schema"),
    ],
)
def test_size_and_count_are_bounded(document: dict[str, Any], field: str) -> None:
    assert refusal(document)[0] == field


def test_depth_is_bounded() -> None:
    document: dict[str, Any] = {}
    for _ in range(schemas.MAX_LEVELS - 1):
        document = {"not": document}
    read(document)
    assert "nested deeper" in refusal({"not": document})[1]


def doubling(times: int) -> dict[str, Any]:
    """Thirty lines that make two to the power of thirty."""
    parts: dict[str, Any] = {f"p{n}": {"allOf": [{"$ref": f"#/$defs/p{n + 1}"}] * 2} for n in range(times)}
    return {"$defs": parts | {f"p{times}": {"type": "string"}}, "$ref": "#/$defs/p0"}


def test_parts_that_are_used_again_and_again_count_each_time() -> None:
    assert read(doubling(8)).weight > 2**8
    assert "used too often" in refusal(doubling(30))[1]


def test_a_circle_on_the_same_value_is_refused_and_one_into_the_value_is_a_recursion() -> None:
    circle = {"$defs": {"a": {"anyOf": [{"$ref": "#/$defs/b"}]}, "b": {"not": {"$ref": "#/$defs/a"}}}}
    assert "leads back to itself" in refusal(circle)[1]
    assert "leads back to itself" in refusal({"$ref": "#"})[1]
    assert read({"properties": {"child": {"$ref": "#"}}}).weight == 0


@pytest.mark.parametrize("more", [{}, {"unevaluatedProperties": False}, {"properties": {"a": {"$ref": "#"}}}])
def test_neither_circles_nor_too_many_uses_hide_behind_a_schema_that_has_no_weight(more: dict[str, Any]) -> None:
    assert "leads back to itself" in refusal({"$defs": {"a": more, "b": {"$ref": "#/$defs/b"}}})[1]
    assert "used too often" in refusal({**doubling(30), "additionalProperties": more})[1]


def test_what_looks_around_itself_has_no_weight_that_counts() -> None:
    assert read({"unevaluatedProperties": False}).weight == 0
    assert read({"properties": {"unevaluatedItems": {}}}).weight > 0


def test_long_lists_weigh_what_they_hold() -> None:
    assert read({"required": [str(n) for n in range(1000)]}).weight > 1000
    assert read({"const": [[1] * 500]}).weight > 500
