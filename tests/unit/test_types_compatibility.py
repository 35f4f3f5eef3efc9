"""Compatibility: what is called compatible is, whatever the documents; what is not names its place."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from crud_svc.documents.exact_json import Number
from crud_svc.types import schemas
from crud_svc.types.compatibility import incompatibilities
from crud_svc.types.containment import MAX_STEPS, Containment
from crud_svc.types.engine import Engine, Plain
from crud_svc.types.schemas import read
from tests.unit.types_made_up import schema_pair, value

ANN: dict[str, Any] = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
CLOSED = ANN | {"additionalProperties": False}


def with_property(schema: dict[str, Any], name: str, of: Any) -> dict[str, Any]:
    return schema | {"properties": schema["properties"] | {name: of}}


@pytest.mark.parametrize(
    ("present", "new", "backward", "forward"),
    [
        (ANN, ANN, [], []),
        (ANN, ANN | {"title": "Ann"}, [], []),
        (ANN, ANN | {"required": []}, [], ["/required"]),
        (ANN, with_property(ANN, "age", {"type": "integer"}), ["/properties/age/type"], []),
        (CLOSED, with_property(CLOSED, "age", {"type": "integer"}), [], ["/additionalProperties"]),
        (ANN, CLOSED, ["/additionalProperties"], []),
        (ANN, with_property(ANN, "name", {"type": ["string", "null"]}), [], ["/properties/name/type"]),
        ({"type": "integer"}, {"type": "number"}, [], ["/type"]),
        ({"enum": ["a", "b"]}, {"enum": ["a", "b", "c"]}, [], ["/enum"]),
        ({"enum": ["a"]}, {"type": "string", "maxLength": 1}, [], ["/enum"]),
        ({"type": "boolean"}, {"enum": [True, False]}, [], []),
        ({"const": 1}, {"const": Number("1.0")}, [], []),
        ({"const": 1}, {"const": True}, ["/const"], ["/const"]),
        ({"minimum": 1}, {"exclusiveMinimum": 0}, [], ["/minimum"]),
        ({"minimum": 1, "maximum": 5}, {"minimum": 1}, [], ["/maximum"]),
        ({"exclusiveMaximum": 5}, {"maximum": 5}, [], ["/exclusiveMaximum"]),
        ({"maximum": 12345678901234567890}, {"maximum": 12345678901234567891}, [], ["/maximum"]),
        ({"multipleOf": 4}, {"multipleOf": 2}, [], ["/multipleOf"]),
        ({"type": "integer"}, {"type": "integer", "multipleOf": 1}, [], []),
        ({"maxLength": 3}, {"maxLength": 4}, [], ["/maxLength"]),
        ({"minItems": 3}, {"minItems": 2}, [], ["/minItems"]),
        ({"required": ["a", "b"]}, {"minProperties": 2}, [], ["/required", "/required"]),
        ({"uniqueItems": True}, {}, [], ["/uniqueItems"]),
        ({"items": {"type": "integer"}}, {"items": {"type": "number"}}, [], ["/items/type"]),
        ({"prefixItems": [{}], "items": False}, {"maxItems": 1}, ["/maxItems"], []),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, {"type": ["string", "null"]}, [], ["/anyOf"]),
        ({"type": "string"}, {"anyOf": [{"type": "null"}, {"type": "string"}]}, [], ["/type"]),
        ({"allOf": [{"type": "string"}, {"minLength": 2}]}, {"type": "string"}, [], ["/allOf/1/minLength"]),
        ({"dependentRequired": {"a": ["b"]}}, {}, [], ["/dependentRequired"]),
        ({"patternProperties": {"^a": {}}, "additionalProperties": False},
         {"patternProperties": {"^a": {}}, "properties": {"ab": {"type": "null"}}},
         ["/properties/ab/type"], ["/additionalProperties"] * 2),
        ({"propertyNames": {"maxLength": 3}}, {}, [], ["/propertyNames/maxLength"]),
        ({}, {"not": {}}, ["/not"], []),
        ({"properties": {"a": False}}, {"properties": {"a": {"type": "null"}}}, [], ["/properties/a"]),
    ],
)  # fmt: skip
def test_directions_and_places(
    present: dict[str, Any], new: dict[str, Any], backward: list[str], forward: list[str]
) -> None:
    found = incompatibilities(read(present), read(new), "full")
    assert [one.pointer for one in found if one.direction == "backward"] == backward
    assert [one.pointer for one in found if one.direction == "forward"] == forward
    assert incompatibilities(read(present), read(new), "none") == []
    assert len(incompatibilities(read(present), read(new), "backward")) == len(backward)


@pytest.mark.parametrize(
    ("keyword", "one", "other"),
    [
        ("pattern", "^a$", "^b$"),
        ("format", "email", "uuid"),
        ("not", {"type": "null"}, {"type": "string"}),
        ("oneOf", [{"type": "null"}], [{"type": "null"}, {"type": "string"}]),
        ("if", {"type": "null"}, {"type": "string"}),
        ("contains", {"type": "null"}, {"type": "string"}),
        ("dependentSchemas", {"a": {}}, {"b": {}}),
        ("unevaluatedProperties", False, {"type": "null"}),
    ],
)
def test_what_cannot_be_told_is_said_and_the_same_is_the_same(keyword: str, one: Any, other: Any) -> None:
    found = incompatibilities(read({keyword: one, "then": False}), read({keyword: other, "then": False}), "backward")
    assert [(problem.pointer, problem.reason) for problem in found] == [(f"/{keyword}", "cannot-tell")]
    assert incompatibilities(read({keyword: one}), read({keyword: one}), "full") == []


def test_another_draft_cannot_be_compared() -> None:
    [found] = incompatibilities(read({"$schema": "http://json-schema.org/draft-07/schema#"}), read({}), "forward")
    assert (found.pointer, found.reason) == ("/$schema", "cannot-tell")


def tree(value: Any) -> dict[str, Any]:
    node = {"type": "object", "properties": {"value": value, "children": {"items": {"$ref": "#/$defs/node"}}}}
    return {"$defs": {"node": node}, "$ref": "#/$defs/node"}


def test_recursive_schemas_are_compared_all_the_way() -> None:
    assert incompatibilities(read(tree({"type": "integer"})), read(tree({"type": "number"})), "backward") == []
    [found] = incompatibilities(read(tree({"type": "number"})), read(tree({"type": "integer"})), "backward")
    assert found.pointer == "/$defs/node/properties/value/type"


def test_what_was_only_assumed_does_not_outlive_the_assumption() -> None:
    """What is inside of `w` holds as long as `p` does, and `p` is found not to."""
    n, w, p = ({"$ref": f"#/$defs/{name}"} for name in "nwp")
    node = {"type": "object", "properties": {"x": n}}
    narrow = {"$defs": {"n": node}, "type": "object", "properties": {"x": n, "y": n | {"required": ["k"]}}}
    wide = {
        "$defs": {"w": {"properties": {"x": p}}, "p": {"required": ["k"], "properties": {"x": w}}},
        "anyOf": [{"properties": {"x": w}}, {"properties": {"y": p}}],
    }
    document = Plain({"x": {"x": {}}, "y": {"k": 1, "x": {"x": {}}}})
    assert Engine(read(narrow)).accepts(document)
    assert not Engine(read(wide)).accepts(document)
    assert Containment(read(narrow), read(wide)).problems()


@pytest.mark.parametrize(
    ("draft", "keyword", "value"),
    [
        ("http://json-schema.org/draft-07/schema#", "dependentRequired", {"a": ["b"]}),
        ("http://json-schema.org/draft-07/schema#", "prefixItems", [False]),
        ("https://json-schema.org/draft/2019-09/schema", "prefixItems", [False]),
        ("https://json-schema.org/draft/2020-12/schema", "additionalItems", False),
        ("https://json-schema.org/draft/2020-12/schema", "contentEncoding", "base64"),
    ],
)
def test_what_a_draft_does_not_know_demands_nothing(draft: str, keyword: str, value: Any) -> None:
    assert incompatibilities(read({"$schema": draft}), read({"$schema": draft, keyword: value}), "backward") == []


def test_the_same_words_about_other_definitions_are_not_the_same() -> None:
    def schema(of: str) -> dict[str, Any]:
        return {"$defs": {"a": {"type": of}}, "not": {"items": {"$ref": "#/$defs/a"}}}

    [found] = incompatibilities(read(schema("string")), read(schema("null")), "backward")
    assert (found.pointer, found.reason) == ("/not", "cannot-tell")


def test_draft_7_ignores_what_stands_beside_a_reference() -> None:
    seven = {"$schema": "http://json-schema.org/draft-07/schema#", "definitions": {"a": {}}, "$ref": "#/definitions/a"}
    [found] = incompatibilities(read(seven | {"type": "null"}), read(seven | {"$ref": "#", "type": "null"} | {
        "$ref": "#/definitions/a", "definitions": {"a": {"type": "string"}}}), "backward")  # fmt: skip
    assert found.pointer == "/definitions/a/type"


def test_large_schemas_end_in_cannot_tell_and_not_in_a_long_wait() -> None:
    def schema(of: str) -> dict[str, Any]:
        parts = {f"p{n}": {"anyOf": [{"required": [str(k)], "properties": {str(k): {"$ref": f"#/$defs/p{k}"}}}
                                     for k in range(30)]} for n in range(29)}  # fmt: skip
        return {"$defs": parts | {"p29": {"type": of}}, "$ref": "#/$defs/p0", "type": "object"}

    containment = Containment(read(schema("string")), read(schema("null")))
    assert containment.problems()
    assert containment.steps.left < MAX_STEPS / 2


@pytest.mark.parametrize("draft", schemas.DRAFTS)
def test_compatible_means_that_every_document_is_taken(draft: str) -> None:
    random = Random(draft)
    compatible = taken = 0
    for _ in range(4000):
        one, other = (read(schema | {"$schema": draft}) for schema in schema_pair(random, lists="2020" not in draft))
        if Containment(one, other).problems():
            continue
        compatible += 1
        narrow, wide = Engine(one), Engine(other)
        for plain in (Plain(value(random)) for _ in range(12)):
            if narrow.accepts(plain):
                taken += 1
                assert wide.accepts(plain), (one.document, other.document, plain.value)
    assert compatible > 400
    assert taken > 2000
