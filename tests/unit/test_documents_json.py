"""JSON from outside: what is taken, to the letter, and what is refused, and where."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crud_svc.documents.exact_json import MAX_DEPTH, depth, encode, parse, parse_object
from eskit.errors import InvalidRequest, MalformedRequest


def nested(levels: int, inner: str = "1") -> bytes:
    return ('{"a":' * levels + inner + "}" * levels).encode()


@pytest.mark.parametrize(
    "text",
    [
        "1",
        "1.0",
        "1e0",
        "1E+2",
        "-0",
        "-0.0",
        "0.1",
        "12345678901234567890",
        "123456789012345678",
        "1" * 400,
        "1e-400",
        "1.7e308",
    ],
)
def test_numbers_keep_their_spelling(text: str) -> None:
    document = b'{"n":[%s]}' % text.encode()
    assert encode(parse(document)) == document


@pytest.mark.parametrize(
    ("text", "field", "says"),
    [
        ('{"a":1,"a":2}', "", "'a' twice"),
        ('{"x":[0,{"b~/":{"a":1,"b":2,"a":{"c":1,"c":2}}}]}', "/x/1/b~0~1", "'a' twice"),
        ('{"a":NaN}', "/a", "NaN"),
        ('{"a":[1,-Infinity]}', "/a/1", "-Infinity"),
        ('{"a":1e400}', "/a", "too large"),
        ('{"a":{"b":-1e400}}', "/a/b", "too large"),
        ('{"a":%s}' % ("1" * 4301), "/a", "4300 characters"),
        ('{"a":0.%s}' % ("1" * 4301), "/a", "4300 characters"),
        ('{"a":"\\ud800"}', "/a", "surrogate"),
        ('{"a":["x",{"\\udc00":1}]}', "/a/1", "surrogate"),
        ('{"a":"\\ud800\\u0041"}', "/a", "surrogate"),
    ],
)
def test_what_is_refused_is_named_by_pointer(text: str, field: str, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says) as caught:
        parse(text.encode())
    assert caught.value.field == field


NOT_JSON = [b"", b" ", b"{", b'{"a":}', b"{'a':1}", b"{} {}", b"\xff", b'{"a":"\xed\xa0\x80"}', b"nul",
            b"\xef\xbb\xbf{}", b'{"a":01}', b'{"a":"\x00"}', b'{"a":1,}', b"\xff\xfe{\x00}\x00", b'{"a":.5}',
            b"{'a':+1}"]  # fmt: skip


@pytest.mark.parametrize("body", NOT_JSON)
def test_what_is_not_json_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedRequest):
        parse(body)


@pytest.mark.parametrize("body", [b"[]", b"1", b"null", b'"a"', b"true"])
def test_a_document_is_an_object(body: bytes) -> None:
    with pytest.raises(InvalidRequest, match="JSON object"):
        parse_object(body)


def test_depth_has_a_limit() -> None:
    assert depth(parse(nested(MAX_DEPTH))) == MAX_DEPTH
    with pytest.raises(InvalidRequest, match="deep") as caught:
        parse(nested(MAX_DEPTH + 1))
    assert caught.value.field == "/a" * MAX_DEPTH


@pytest.mark.parametrize("levels", [1_000, 100_000])
@pytest.mark.parametrize(("opens", "closes"), [("[", "]"), ('{"a":', "}")])
def test_no_depth_breaks_the_parser(levels: int, opens: str, closes: str) -> None:
    with pytest.raises(InvalidRequest, match="deep"):
        parse((opens * levels + "1" + closes * levels).encode())
    with pytest.raises((InvalidRequest, MalformedRequest)):
        parse((opens * levels).encode())


def test_many_brackets_side_by_side_are_not_deep() -> None:
    assert len(parse(b"[" + b",".join([b"[]"] * 1000) + b"]")) == 1000


def test_depth_counts_levels() -> None:
    values: list[Any] = ["a", {}, [], [[]], {"a": [{}], "b": 1}]
    assert [depth(value) for value in values] == [0, 1, 1, 2, 3]
    value: list[Any] = []
    for _ in range(5_000):
        value = [value]
    assert depth(value) == MAX_DEPTH + 1


def test_whole_surrogate_pairs_are_text() -> None:
    assert parse(b'{"a":"\\ud83d\\ude00","\\u00e4":"\\u0000"}') == {"a": "😀", "ä": "\0"}


@given(st.text(alphabet='{}[]",:\\u0d8a1e.-+ NaInftrlsé\x00', max_size=40))
def test_any_text_is_taken_or_refused_and_the_event_store_takes_what_is_taken(text: str) -> None:
    try:
        value = parse(text.encode())
    except (InvalidRequest, MalformedRequest):
        return
    msgspec.json.decode(text.encode())
    assert encode(parse(encode(value))) == encode(value)


@given(st.binary(max_size=40))
def test_any_bytes_are_taken_or_refused(body: bytes) -> None:
    try:
        parse(body)
    except (InvalidRequest, MalformedRequest):
        return
