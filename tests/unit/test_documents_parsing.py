"""The fast way to read JSON and the careful one: the same values, to the letter, and the same refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crud_svc.documents import exact_json
from crud_svc.documents.exact_json import MAX_NUMBER, REFUSED, encode, identical, parse, parse_stored
from eskit.errors import EskitError, InvalidRequest, MalformedRequest

DIGITS = st.text("0123456789", min_size=1, max_size=25)
NUMBERS = st.builds(
    lambda sign, whole, part, power: f"{sign}{whole.lstrip('0') or '0'}{part}{power}",
    st.sampled_from(["", "-"]),
    DIGITS,
    st.just("") | DIGITS.map(lambda digits: f".{digits}"),
    st.just("")
    | st.builds(lambda e, s, n: f"{e}{s}{n}", st.sampled_from("eE"), st.sampled_from(["", "+", "-"]), DIGITS),
)
# Spellings of characters: plain, and each kind of escape. Also halves of pairs, which are refused.
PLAIN = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters='"\\'), max_size=4)
ESCAPES = st.sampled_from(
    [
        *['\\"', "\\\\", "\\/", "\\b", "\\n", "\\u0022", "\\u0000", "\\u00e4", "\\u00E4", "\\ud83d\\ude00"],
        *["\\ud800", "\\udc00\\ud800", "\\\\u0022", "-0", "\\u005c", "\\u002F"],
    ]
)
STRINGS = st.lists(PLAIN | ESCAPES, max_size=3).map(lambda parts: f'"{"".join(parts)}"')
SPACES = st.sampled_from(["", " ", "\n", "\t ", "\r\n"])


def _members(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.builds(lambda key, a, b, value: f"{key}{a}:{b}{value}", STRINGS, SPACES, SPACES, values)
    return st.lists(pairs, max_size=4).map(lambda found: "{" + ",".join(found) + "}")


def _elements(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    spaced = st.builds(lambda a, value, b: a + value + b, SPACES, values, SPACES)
    return st.lists(spaced, max_size=4).map(lambda found: "[" + ",".join(found) + "]")


TEXTS = st.recursive(
    st.sampled_from(["null", "true", "false", "-0", "-0.0", "1e400", "NaN"]) | NUMBERS | STRINGS,
    lambda inner: _members(inner) | _elements(inner),
    max_leaves=8,
)


class Pairs(list[tuple[str, Any]]):
    """Members in their order, also the second of the same name."""


def plainly(text: str) -> Any:
    """As the standard library reads it, with the text of each number."""
    return json.loads(text, parse_int=_number, parse_float=_number, parse_constant=_constant, object_pairs_hook=Pairs)


def _number(text: str) -> tuple[str, str]:
    return ("number", text)


def _constant(text: str) -> Any:
    raise ValueError(text)


def refused(value: Any) -> bool:
    """Whether it has what is refused: a member twice, half a surrogate pair, a number that no float can hold."""
    if isinstance(value, tuple):
        text = value[1]
        return len(text.lstrip("-")) > MAX_NUMBER or (
            not text.lstrip("-").isdigit() and abs(float(text)) == float("inf")
        )
    if isinstance(value, str):
        return any(0xD800 <= ord(character) < 0xE000 for character in value)
    if isinstance(value, Pairs):
        keys = [key for key, _ in value]
        return len(set(keys)) < len(keys) or any(refused(part) for pair in value for part in pair)
    return isinstance(value, list) and any(map(refused, value))


@given(TEXTS)
@example('{"a":1,"\\u0061":2}')
@example('{"\\"":1,"\\u0022":2}')
@example('{"a\\"":"","b":{"x":1,"x":"\\"\\""}}')
@example('{"2026-01-02":"-0","n":-0}')
@example("[-0]")
@example(" -0 ")
@example("[18446744073709551615,18446744073709551616,-9223372036854775809]")
def test_what_is_read_is_what_stands_there(text: str) -> None:
    try:
        wanted = plainly(text)
    except ValueError:
        with pytest.raises((InvalidRequest, MalformedRequest)):
            parse(text.encode())
        return
    if refused(wanted):
        with pytest.raises(InvalidRequest):
            parse(text.encode())
        with pytest.raises(REFUSED):
            parse_stored(text.encode())
        return
    value = parse(text.encode())
    assert plainly(encode(value).decode()) == wanted
    assert identical(parse(encode(value)), value)


def outcome(reading: Callable[[], Any]) -> Any:
    """What is read, or the error."""
    try:
        return reading()
    except EskitError as error:
        return error


@given(TEXTS)
def test_both_ways_to_read_agree(text: str) -> None:
    body = text.encode()
    careful = outcome(lambda: exact_json._parse_slowly(body, "It", 100))
    if isinstance(careful, EskitError):
        quick = outcome(lambda: parse(body, "It"))
        assert (type(quick), quick.field, quick.detail) == (type(careful), careful.field, careful.detail)
        return
    assert identical(parse(body), careful)
    assert identical(parse_stored(body), careful)
    assert encode(parse_stored(body)) == encode(careful)


@pytest.mark.parametrize("number", ["1" * 4300, "-" + "1" * 4300, "0." + "1" * 4298, "1e-4000", "9" * 309 + "e-1"])
def test_the_largest_numbers_keep_their_text(number: str) -> None:
    body = b'{"n":%s}' % number.encode()
    assert encode(parse(body)) == body
    assert encode(parse(b'{"z":-0,"n":%s}' % number.encode()))[8:] == body[1:]


@pytest.mark.parametrize("number", ["1" * 4301, "-" + "1" * 4301, "0." + "1" * 4299, "1e309", "1" * 5000 + "e-4900"])
def test_larger_ones_are_refused_either_way(number: str) -> None:
    for body in (b'{"n":%s}', b'{"z":-0,"n":%s}'):
        with pytest.raises(InvalidRequest) as caught:
            parse(body % number.encode())
        assert caught.value.field == "/n"


@pytest.mark.parametrize(
    ("text", "fast"),
    [
        ('{"day":"2026-01-02","id":"0195d3f0-0000-7000-8000-000000000001"}', True),
        ('{"a":-0.5,"b":-0e1,"c":-0.0}', True),
        ('{"a":-0}', False),
        ('{"a":[-0 ,1]}', False),
        ('{"a":"\\u0022"}', False),
    ],
)
def test_the_careful_way_is_for_what_needs_it(text: str, fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact_json, "_parse_slowly", lambda *_: "careful")
    assert (parse_stored(text.encode()) != "careful") == fast
