"""Values in their order, fields by their names, documents as they are searched."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crud_svc.documents.exact_json import Number, encode, parse
from crud_svc.view.fields import field
from crud_svc.view.keys import MISSING, after_all, at, searchable, sort_key
from eskit.errors import InvalidRequest

IN_ORDER: list[Any] = [
    MISSING,
    None,
    False,
    True,
    -(10**400),
    Number("-1.7e308"),
    -7,
    Number("-0.5"),
    Number("-5e-324"),
    0,
    Number("5e-324"),
    Number("0.5"),
    1,
    Number("1.5"),
    10,
    2**70,
    10**400,
    "",
    "A",
    "a",
    "ab",
    "a\x7f",
    "ü",
    "\uffff",
    "\U0001f600",
    [],
    {},
]


def test_keys_stand_as_values_do() -> None:
    keys = [sort_key(value) for value in IN_ORDER]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("same", [(0, Number("-0"), Number("0.0")), (1, Number("1.0"), Number("1e0"), Number("10e-1"))])
def test_numbers_of_one_value_have_one_key(same: tuple[Any, ...]) -> None:
    assert len({sort_key(value) for value in same}) == 1


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_floats_keep_their_order(one: float, other: float) -> None:
    keys = sort_key(Number(repr(one))), sort_key(Number(repr(other)))
    assert (keys[0] < keys[1]) == (one < other)


@given(st.text(min_size=1, max_size=5), st.text(max_size=5))
def test_what_begins_so_stands_before_the_next(prefix: str, rest: str) -> None:
    prefix = "5" + prefix
    assert prefix <= prefix + rest < after_all(prefix)


def test_keys_are_short() -> None:
    assert max(len(sort_key(value).encode()) for value in ["\U0001f600" * 10_000, -(10**4000), ["x" * 9000]]) < 420


def test_what_jsonb_does_not_take_is_replaced() -> None:
    body = r'{"\u0000": ["a\u0000", 1e-400, 1e-99999, 1e-300, -0.0], "x\\u0000": 10000000000000000000000.10}'
    found = searchable(body)
    assert parse(found.encode()) == {
        "\ufffd": ["a\ufffd", 0, 0, Number("1e-300"), 0],
        "x\\u0000": Number("10000000000000000000000.10"),
    }
    plain = '{"a": "b\\\\u00001", "n": 1e-5}'
    assert searchable('{"n": 1e-5}') == '{"n": 1e-5}'
    assert parse(searchable(plain).encode()) == parse(plain.encode())


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("a", ("a",)),
        ("a.b.0", ("a", "b", "0")),
        ("/a.b/c", ("a.b", "c")),
        ("/a~1b/~0~01", ("a/b", "~~1")),
        ("/", ("",)),
        ("/a//b", ("a", "", "b")),
    ],
)
def test_fields(text: str, steps: tuple[str, ...]) -> None:
    assert field(text, "sort").steps == steps
    assert field(field(text, "sort").pointer, "sort").steps == steps


@pytest.mark.parametrize("text", ["", "a..b", ".", "a.", "/a~", "/a~2", "x" * 201, "a." * 20 + "a", "a\x00b", "\ud800"])
def test_wrong_fields_are_refused(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        field(text, "sort")
    assert caught.value.field == "sort"


def test_a_path_goes_as_in_the_database() -> None:
    document = {"a": [1, {"b": None}], "": {"0": "x"}}
    found = [at(document, steps) for steps in [("a", "0"), ("a", "-1", "b"), ("a", "2"), ("", "0"), ("a", "b"), ("x",)]]
    assert found == [1, None, MISSING, "x", MISSING, MISSING]
    assert encode(at(document, ("a", "1"))) == b'{"b":null}'
