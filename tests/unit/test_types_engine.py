"""Documents against schemas: numbers keep their value, patterns take linear time, what is wrong is listed in full."""

from __future__ import annotations

from typing import Any

import pytest

from crud_svc.documents.exact_json import parse, parse_object
from crud_svc.types.engine import Engine, Plain
from crud_svc.types.schemas import read
from crud_svc.types.violations import MAX_LISTED, MAX_TEXT
from eskit.errors import InvalidRequest
from eskit.types import Violation


def engine(schema: str | dict[str, Any]) -> Engine:
    return Engine(read(parse_object(schema.encode()) if isinstance(schema, str) else schema))


def accepts(schema: str, value: str) -> bool:
    return engine(schema).accepts(Plain(parse(value.encode())))


@pytest.mark.parametrize(
    ("schema", "taken", "refused"),
    [
        (
            '{"type": "integer"}',
            "1 1.0 1e0 1e2 -0 12345678901234567890 12345678901234567890.0",
            "1.5 1e-9 1e-999999999",
        ),
        ('{"multipleOf": 0.01}', "0.07 4.35 1.10 19.99 0.00 1e300", "0.075 1e-9 4.355"),
        ('{"multipleOf": 3}', "3 3.0 1000000000000000000000002", "1000000000000000000000000 1e-9"),
        ('{"maximum": 12345678901234567890}', "12345678901234567890 -1", "12345678901234567891"),
        ('{"exclusiveMaximum": 0.1}', "0.0999999999999999999999", "0.1 0.10 0.1000000000000000000001"),
        ('{"maximum": 0.1}', "0.1 0.10", "0.1000000000000000000001"),
        ('{"minimum": 9007199254740993}', "9007199254740993 9007199254740993.0", "9007199254740992"),
        ('{"const": 1}', "1 1.0 1e0", "true 1.0000000000000000000001"),
        ('{"const": 1.50}', "1.5 15e-1", "1.51"),
        ('{"enum": [12345678901234567890, 0.1]}', "12345678901234567890 0.10", "12345678901234567891"),
        ('{"uniqueItems": true}', "[12345678901234567890,12345678901234567891] [1,true]", "[1,1.0] [0.1,0.10]"),
        ('{"type": "number"}', "1.0 5e-324 123456789012345678901234567890", '"1" null true'),
    ],
)
def test_numbers_have_their_exact_value(schema: str, taken: str, refused: str) -> None:
    assert [value for value in taken.split() if not accepts(schema, value)] == []
    assert [value for value in refused.split() if accepts(schema, value)] == []


@pytest.mark.parametrize(
    ("draft", "schema", "taken"),
    [
        ("http://json-schema.org/draft-07/schema#", '"items": [{"type": "string"}], "additionalItems": false', False),
        ("http://json-schema.org/draft-07/schema#", '"prefixItems": [{"type": "string"}]', True),
        ("https://json-schema.org/draft/2019-09/schema", '"prefixItems": [{"type": "string"}]', True),
        ("https://json-schema.org/draft/2019-09/schema", '"items": [{"type": "string"}]', False),
        ("https://json-schema.org/draft/2020-12/schema", '"prefixItems": [{"type": "string"}]', False),
    ],
)
def test_a_schema_means_what_its_draft_says(draft: str, schema: str, taken: bool) -> None:
    assert accepts(f'{{"$schema": "{draft}", {schema}}}', "[1]") is taken


def test_all_violations_are_listed_with_both_pointers() -> None:
    schema = {
        "required": ["name", "mail"],
        "properties": {
            "age": {"$ref": "#/$defs/age"},
            "tags": {"items": {"type": "string"}},
            "a/b~": {"const": 1},
        },
        "$defs": {"age": {"type": "integer"}},
        "additionalProperties": False,
    }
    found = engine(schema).violations(Plain({"age": "x", "tags": ["a", 1, 2], "a/b~": 2, "other": 1}))
    assert sorted((one.schema_pointer, one.pointer) for one in found.listed) == [
        ("/$defs/age/type", "/age"),
        ("/additionalProperties", ""),
        ("/properties/a~1b~0/const", "/a~1b~0"),
        ("/properties/tags/items/type", "/tags/1"),
        ("/properties/tags/items/type", "/tags/2"),
        ("/required", ""),
        ("/required", ""),
    ]
    assert found.more == 0
    assert Violation("/age", 'the value is not of type "integer"', "/$defs/age/type") in found.listed


def test_what_is_told_is_bounded_and_repeats_no_values() -> None:
    long = "secret" * 100_000
    found = engine({"additionalProperties": {"type": "integer"}}).violations(Plain({f"k{n}": long for n in range(150)}))
    assert (len(found.listed), found.more) == (MAX_LISTED, 50)
    assert not any("secret" in one.message for one in found.listed)
    [one] = engine({"additionalProperties": False}).violations(Plain({"x" * 9999: 1})).listed
    assert len(one.message) <= MAX_TEXT + 1


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|aa)+$", "(.*a){20}", r"^(\w+\s?)*$", "[ab]*a[ab]{60}c"])
def test_patterns_take_linear_time(pattern: str) -> None:
    """A matcher that goes back and forth needs more time for these than the universe has."""
    assert not engine({"type": "string", "pattern": pattern, "maxLength": 1}).accepts(Plain("a" * 20_000 + "!"))


@pytest.mark.parametrize(
    ("schema", "field"),
    [
        ({"pattern": "("}, "/schema/pattern"),
        ({"pattern": "(?=a)b"}, "/schema/pattern"),
        ({"pattern": r"(a)\1"}, "/schema/pattern"),
        ({"pattern": "(a{1000}){1000}"}, "/schema/pattern"),
        ({"properties": {"a": {"type": "strange"}}}, "/schema/properties/a/type"),
        ({"required": "a"}, "/schema/required"),
        ({"properties": 1}, "/schema/properties"),
        ({"allOf": []}, "/schema/allOf"),
        ({"multipleOf": 0}, "/schema/multipleOf"),
    ],
)
def test_what_is_no_schema_names_its_place(schema: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        engine(schema)
    assert caught.value.field == field


def test_formats_are_checked_and_unknown_ones_are_not() -> None:
    assert not accepts('{"format": "date-time"}', '"yesterday"')
    assert accepts('{"format": "date-time"}', '"2026-01-31T12:00:00Z"')
    assert accepts('{"format": "colour"}', '"anything"')


def test_one_violation_is_found_without_the_others() -> None:
    found = engine({"items": {"type": "string"}}).first(Plain([1, 2, 3]))
    assert (len(found.listed), found.more) == (1, 1)
    assert not engine({}).first(Plain({}))
