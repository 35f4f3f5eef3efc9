"""Documents: the difference of two of them, applied to the first, is the second, to the letter of every number."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crud_svc.documents.difference import ALWAYS_PATCH_BYTES, changes, difference, json_patch, merged
from crud_svc.documents.exact_json import Number, encode, identical, parse, parse_object
from crud_svc.documents.patches import apply, checked

NUMBERS = [
    "0",
    "-0",
    "1",
    "1.0",
    "1e0",
    "1E0",
    "10",
    "-1",
    "0.1",
    "0.10",
    "12345678901234567890",
    "1e-5",
    "100000000000000000000",
]
KEYS = st.sampled_from(["", "a", "b", "/", "~", "~1", "a/b", "ä", "\u0000", "0", "-"]) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=3
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([parse(text.encode()) for text in NUMBERS]),
    st.integers(-(2**70), 2**70).map(lambda n: parse(str(n).encode())),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=12
)
DOCUMENTS = st.dictionaries(KEYS, VALUES, max_size=5)


def applied(document: dict[str, Any], payload: bytes) -> Any:
    """What an Updated event's payload makes of a document, said as plainly as possible."""
    said = parse_object(payload)
    assert len(said) == 1
    if "merge_patch" in said:
        return merged(document, said["merge_patch"])
    return apply(document, checked(said["json_patch"]), 10**9)


@given(DOCUMENTS, DOCUMENTS)
def test_the_difference_leads_from_one_document_to_the_other(old: dict[str, Any], new: dict[str, Any]) -> None:
    payload = difference(old, new)
    assert identical(old, new) if payload is None else identical(applied(old, payload), new)


@given(DOCUMENTS, st.data())
def test_the_difference_of_related_documents(old: dict[str, Any], data: st.DataObject) -> None:
    new = old | data.draw(DOCUMENTS)
    payload = difference(old, new)
    assert identical(old, new) if payload is None else identical(applied(old, payload), new)


@given(DOCUMENTS, DOCUMENTS)
def test_json_patch_alone_says_every_difference(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert identical(apply(old, checked(json_patch(old, new)), 10**9), new)


@given(DOCUMENTS)
def test_a_document_differs_not_from_itself(document: dict[str, Any]) -> None:
    again = parse_object(encode(document))
    assert identical(again, document)
    assert difference(document, again) is None
    assert list(changes(document, again)) == []


@given(DOCUMENTS, DOCUMENTS)
def test_changes_name_each_difference_once(old: dict[str, Any], new: dict[str, Any]) -> None:
    found = list(changes(old, new))
    assert bool(found) != identical(old, new)
    assert len({change.path for change in found}) == len(found)


@pytest.mark.parametrize(
    ("old", "new", "payload"),
    [
        ('{"a":1}', '{"a":2}', {"merge_patch": {"a": 2}}),
        ('{"a":1,"b":2}', '{"a":1}', {"merge_patch": {"b": None}}),
        ('{"a":{"b":1,"c":2}}', '{"a":{"b":3,"c":2}}', {"merge_patch": {"a": {"b": 3}}}),
        ('{"a":null}', "{}", {"merge_patch": {"a": None}}),
        ('{"a":[1,2]}', '{"a":[1,null]}', {"merge_patch": {"a": [1, None]}}),
        ('{"a":[1]}', '{"a":[{"b":null}]}', {"merge_patch": {"a": [{"b": None}]}}),
        ('{"a":1}', '{"a":{}}', {"merge_patch": {"a": {}}}),
        # What follows a merge patch cannot say.
        ('{"a":1}', '{"a":null}', {"json_patch": [{"op": "replace", "path": "/a", "value": None}]}),
        ("{}", '{"a":null}', {"json_patch": [{"op": "add", "path": "/a", "value": None}]}),
        ("{}", '{"a":{"b":null}}', {"json_patch": [{"op": "add", "path": "/a", "value": {"b": None}}]}),
        (
            '{"a":1,"b/c~":{"d":1}}',
            '{"b/c~":{"d":null}}',
            {"json_patch": [{"op": "remove", "path": "/a"}, {"op": "replace", "path": "/b~1c~0/d", "value": None}]},
        ),
    ],
)
def test_what_an_update_says(old: str, new: str, payload: dict[str, Any]) -> None:
    said = difference(parse_object(old.encode()), parse_object(new.encode()))
    assert said is not None
    assert json.loads(said) == payload


@pytest.mark.parametrize(("old", "new"), [("1", "1.0"), ("1.0", "1e0"), ("0", "-0"), ("0.1", "0.10"), ("1", "true")])
def test_another_spelling_of_a_number_is_a_change(old: str, new: str) -> None:
    payload = difference(parse_object(b'{"n":%s}' % old.encode()), parse_object(b'{"n":%s}' % new.encode()))
    assert payload == b'{"merge_patch":{"n":%s}}' % new.encode()


def test_another_order_of_members_is_no_change() -> None:
    assert difference({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 3, "c": 2}, "a": 1}) is None


def test_a_shrinking_document_stores_no_more_than_itself() -> None:
    old = {f"member {n}": n for n in range(10_000)}
    payload = difference(old, {"left": 1})
    assert payload == b'{"json_patch":[{"op":"replace","path":"","value":{"left":1}}]}'
    assert len(encode({"merge_patch": dict.fromkeys(old)})) > ALWAYS_PATCH_BYTES


MERGE_EXAMPLES = [  # RFC 7396, appendix A: original, patch, result
    ('{"a":"b"}', '{"a":"c"}', '{"a":"c"}'),
    ('{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'),
    ('{"a":"b"}', '{"a":null}', "{}"),
    ('{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'),
    ('{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'),
    ('{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'),
    ('{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'),
    ('{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'),
    ('["a","b"]', '["c","d"]', '["c","d"]'),
    ('{"a":"b"}', '["c"]', '["c"]'),
    ('{"a":"foo"}', "null", "null"),
    ('{"a":"foo"}', '"bar"', '"bar"'),
    ('{"e":null}', '{"a":1}', '{"e":null,"a":1}'),
    ("[1,2]", '{"a":"b","c":null}', '{"a":"b"}'),
    ("{}", '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'),
]


@pytest.mark.parametrize(("original", "patch", "result"), MERGE_EXAMPLES)
def test_merge_patch_as_in_the_rfc(original: str, patch: str, result: str) -> None:
    before = parse(original.encode())
    assert encode(merged(before, parse(patch.encode()))).decode() == result
    assert encode(before).decode() == original, "the target is left alone"


def test_numbers_go_through_a_merge_untouched() -> None:
    document = parse_object(b'{"a":1.0,"b":[1e0,-0],"c":12345678901234567890}')
    assert encode(merged(document, parse(b'{"d":0.10}'))) == b'{"a":1.0,"b":[1e0,-0],"c":12345678901234567890,"d":0.10}'


def test_numbers_are_equal_by_value_and_identical_by_letter() -> None:
    assert Number("1.0") == 1
    assert Number("1.0") == Number("1e0")
    assert hash(Number("1.0")) == hash(1)
    assert Number("1.0") != "1.0"
    assert Number("1.0") != True  # noqa: E712 - that is the point
    assert Number("1e-99999999999999999999999") != 1
    assert not identical(Number("1.0"), Number("1"))
    with pytest.raises(TypeError):
        encode({"a": object()})
    assert msgspec.json.decode(encode([Number("1.50")])) == [1.5]
