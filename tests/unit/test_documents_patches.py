"""JSON Patch from outside: the examples of RFC 6902, and what must be refused, with the operation named."""

from contextlib import suppress
from copy import deepcopy
from typing import Any

import jsonpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crud_svc.documents.exact_json import MAX_DEPTH, encode, parse, parse_object
from crud_svc.documents.patches import MAX_OPERATIONS, apply, operations
from eskit.errors import InvalidRequest, PatchFailed, TooLarge

MOST = 100_000

EXAMPLES = [  # RFC 6902, appendix A; None: the patch fails
    ('{"foo":"bar"}', '[{"op":"add","path":"/baz","value":"qux"}]', '{"foo":"bar","baz":"qux"}'),  # A.1
    ('{"foo":["bar","baz"]}', '[{"op":"add","path":"/foo/1","value":"qux"}]', '{"foo":["bar","qux","baz"]}'),  # A.2
    ('{"baz":"qux","foo":"bar"}', '[{"op":"remove","path":"/baz"}]', '{"foo":"bar"}'),  # A.3
    ('{"foo":["bar","qux","baz"]}', '[{"op":"remove","path":"/foo/1"}]', '{"foo":["bar","baz"]}'),  # A.4
    ('{"baz":"qux"}', '[{"op":"replace","path":"/baz","value":"boo"}]', '{"baz":"boo"}'),  # A.5
    (  # A.6
        '{"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}}',
        '[{"op":"move","from":"/foo/waldo","path":"/qux/thud"}]',
        '{"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}}',
    ),
    (  # A.7
        '{"foo":["all","grass","cows","eat"]}',
        '[{"op":"move","from":"/foo/1","path":"/foo/3"}]',
        '{"foo":["all","cows","eat","grass"]}',
    ),
    (  # A.8
        '{"baz":"qux","foo":["a",2,"c"]}',
        '[{"op":"test","path":"/baz","value":"qux"},{"op":"test","path":"/foo/1","value":2}]',
        '{"baz":"qux","foo":["a",2,"c"]}',
    ),
    ('{"baz":"qux"}', '[{"op":"test","path":"/baz","value":"bar"}]', None),  # A.9
    ('{"foo":"bar"}', '[{"op":"add","path":"/child","value":{"x":{}}}]', '{"foo":"bar","child":{"x":{}}}'),  # A.10
    ('{"foo":"bar"}', '[{"op":"add","path":"/baz","value":"qux","xyz":123}]', '{"foo":"bar","baz":"qux"}'),  # A.11
    ('{"foo":"bar"}', '[{"op":"add","path":"/baz/bat","value":"qux"}]', None),  # A.12
    ('{"/":9,"~1":10}', '[{"op":"test","path":"/~01","value":10}]', '{"/":9,"~1":10}'),  # A.14
    ('{"/":9,"~1":10}', '[{"op":"test","path":"/~01","value":"10"}]', None),  # A.15
    (
        '{"foo":["bar"]}',
        '[{"op":"add","path":"/foo/-","value":["abc","def"]}]',
        '{"foo":["bar",["abc","def"]]}',
    ),  # A.16
]


def patched(document: str, patch: str) -> str:
    return encode(apply(parse_object(document.encode()), operations(parse(patch.encode())), MOST)).decode()


@pytest.mark.parametrize(("document", "patch", "result"), EXAMPLES)
def test_json_patch_as_in_the_rfc(document: str, patch: str, result: str | None) -> None:
    if result is None:
        with pytest.raises(PatchFailed) as caught:
            patched(document, patch)
        assert caught.value.field == "patch[0]"
    else:
        assert patched(document, patch) == result


def test_a_member_twice_in_an_operation_is_refused() -> None:  # A.13
    with pytest.raises(InvalidRequest, match="twice"):
        parse(b'[{"op":"add","path":"/baz","value":"qux","op":"remove"}]')


@pytest.mark.parametrize(
    ("stored", "tested", "holds"),
    [
        ("1", "1.0", True),
        ("1.0", "1e0", True),
        ("12345678901234567890", "12345678901234567890.0", True),
        ("12345678901234567890", "12345678901234567891", False),
        ("0", "-0", True),
        ("1", "true", False),
        ("0", "false", False),
        ("1.0", "true", False),
        ("[1,{}]", "[1.0,{}]", True),
        ('"1"', "1", False),
        ("1e-99999999999999999999", "0", True),
    ],
)
def test_numbers_are_tested_by_value(stored: str, tested: str, holds: bool) -> None:
    document, patch = f'{{"n":{stored}}}', f'[{{"op":"test","path":"/n","value":{tested}}}]'
    if holds:
        assert patched(document, patch) == document
    else:
        with pytest.raises(PatchFailed):
            patched(document, patch)


@pytest.mark.parametrize(
    "operation",
    [
        "5", "null", "[]", "{}", '{"op":"append","path":"/a","value":1}', '{"op":["add"],"path":"/a","value":1}',
        '{"op":"add","path":"/a"}', '{"op":"add","value":1}', '{"op":"add","path":5,"value":1}',
        '{"op":"add","path":"a","value":1}',
        '{"op":"add","path":"/~2","value":1}', '{"op":"move","path":"/a"}', '{"op":"copy","path":"/a","from":{}}',
        '{"op":"test","path":"/a"}', '{"op":"replace","path":null,"value":1}', '{"op":"move","path":"/a","from":"b"}',
    ],
)  # fmt: skip
def test_an_operation_of_the_wrong_form_is_named(operation: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        patched('{"a":1}', f'[{{"op":"test","path":"/a","value":1}},{operation}]')
    assert caught.value.field == "patch[1]"
    assert not isinstance(caught.value, PatchFailed)


@pytest.mark.parametrize(
    "operation",
    [
        '{"op":"remove","path":"/nope"}', '{"op":"replace","path":"/nope","value":1}', '{"op":"remove","path":""}',
        '{"op":"add","path":"/list/3","value":1}', '{"op":"add","path":"/list/01","value":1}',
        '{"op":"remove","path":"/list/-"}',
        '{"op":"add","path":"/list/-1","value":1}', '{"op":"replace","path":"/list/-","value":1}',
        '{"op":"add","path":"/list/%s","value":1}' % ("9" * 5000), '{"op":"add","path":"/text/0","value":1}',
        '{"op":"add","path":"/number/x","value":1}', '{"op":"test","path":"/number/x","value":1}',
        '{"op":"test","path":"/nope","value":null}',
        '{"op":"copy","from":"/list/-","path":"/a"}', '{"op":"copy","from":"/nope","path":"/a"}',
        '{"op":"move","from":"","path":"/a"}',
        '{"op":"move","from":"/object","path":"/object/inner"}', '{"op":"move","from":"/list/-","path":"/a"}',
        '{"op":"test","path":"/list/-","value":1}', '{"op":"test","path":"/number","value":"%s"}' % ("x" * 1000),
    ],
)  # fmt: skip
def test_an_operation_that_cannot_be_done_is_named(operation: str) -> None:
    document = '{"list":[1,2],"text":"abc","number":1.5,"object":{"inner":1}}'
    with pytest.raises(PatchFailed) as caught:
        patched(document, f'[{{"op":"add","path":"/a","value":1}},{operation}]')
    assert caught.value.field == "patch[1]"
    assert len(caught.value.detail) < 500


def test_the_document_and_the_patch_are_left_alone() -> None:
    document, patch = (
        parse_object(b'{"a":{"b":[1]}}'),
        parse(b'[{"op":"add","path":"/c","value":[]},{"op":"add","path":"/c/-","value":1}]'),
    )
    assert encode(apply(document, operations(patch), MOST)) == b'{"a":{"b":[1]},"c":[1]}'
    assert encode(apply(document, operations(patch), MOST)) == b'{"a":{"b":[1]},"c":[1]}'
    assert encode(document) == b'{"a":{"b":[1]}}'


def test_what_is_not_touched_is_shared_and_what_is_moved_is_not_changed_where_it_was() -> None:
    document = parse_object(b'{"a":{"b":[1]},"large":{"c":[[1,2]]},"list":[{"d":{}}]}')
    before = encode(document)
    added = apply(document, operations(parse(b'[{"op":"add","path":"/a/b/-","value":2}]')), MOST)
    assert added["large"] is document["large"]
    assert added["list"] is document["list"]
    moves = b"""[{"op":"move","from":"/large/c","path":"/moved"},{"op":"add","path":"/moved/0/0","value":0},
        {"op":"move","from":"/list/0","path":"/list/-"},{"op":"add","path":"/list/0/d/e","value":[]},
        {"op":"add","path":"/list/0/d/e/-","value":3},{"op":"copy","from":"/list/0","path":"/a"},
        {"op":"remove","path":"/a/d/e/0"},{"op":"replace","path":"","value":{"x":{}}},
        {"op":"add","path":"/x/y","value":1}]"""
    assert apply(document, operations(parse(moves))[:-2], MOST) == {
        "a": {"d": {"e": []}},
        "large": {},
        "list": [{"d": {"e": [3]}}],
        "moved": [[0, 1, 2]],
    }
    assert apply(document, operations(parse(moves)), MOST) == {"x": {"y": 1}}
    assert encode(document) == before


@pytest.mark.parametrize("path", ["/0/0", "/1/0", "/1/-", "/0/b", "/1/b", "/-", "/2", "/0"])
def test_a_move_renumbers_what_it_moves_into(path: str) -> None:
    for inner in ("[[1],[2],[3],[4]]", '[{},{"a":{}},{"b":1},{}]'):
        document = parse_object(b'{"l":%s}' % inner.encode())
        before, move = encode(document), [{"op": "move", "from": "/l/0", "path": f"/l{path}"}]
        with suppress(PatchFailed):
            assert apply(document, move, MOST) == plain(document, move)
        assert encode(document) == before


def test_the_number_of_operations_has_a_limit() -> None:
    one = {"op": "test", "path": "", "value": {}}
    assert len(operations([one] * MAX_OPERATIONS)) == MAX_OPERATIONS
    with pytest.raises(InvalidRequest, match="operations"):
        operations([one] * (MAX_OPERATIONS + 1))
    with pytest.raises(InvalidRequest, match="array"):
        operations({})


def test_copies_that_double_a_document_stop_at_the_limit() -> None:
    bomb = [{"op": "copy", "from": "/a", "path": "/a/-"}] * 100
    with pytest.raises(TooLarge) as caught:
        apply({"a": ["x" * 100]}, operations(bomb), MOST)
    assert caught.value.field == "patch[9]"


def test_moving_a_large_value_to_and_fro_stops_at_the_limit() -> None:
    there, back = {"op": "move", "from": "/a", "path": "/b"}, {"op": "move", "from": "/b", "path": "/a"}
    assert apply({"a": ["x" * 1000]}, operations([there, back]), MOST) == {"a": ["x" * 1000]}
    with pytest.raises(TooLarge) as caught:
        apply({"a": ["x" * 1000]}, operations([there, back] * 500), MOST)
    assert caught.value.field == "patch[99]"


def test_no_operation_makes_a_document_too_deep() -> None:
    bomb = [{"op": "copy", "from": "/a", "path": "/a/a"}] * 100
    with pytest.raises(PatchFailed, match="levels") as caught:
        apply({"a": {"b": 1}}, operations(bomb), 10**9)
    assert caught.value.field is not None
    deep: Any = 1
    for _ in range(MAX_DEPTH - 1):
        deep = {"a": deep}
    assert apply({"d": deep}, operations([{"op": "test", "path": "/d", "value": deep}]), MOST) == {"d": deep}
    with pytest.raises(PatchFailed, match="levels"):
        apply({"d": deep, "e": {}}, operations([{"op": "move", "from": "/d", "path": "/e/d"}]), MOST)


PATHS = st.sampled_from(["", "/", "/a", "/b", "/a/0", "/a/-", "/a/1", "/b/c", "/b/c/0", "/-", "/a/b/c", "/b/"])
OPERATIONS: st.SearchStrategy[list[dict[str, Any]]] = st.lists(
    st.fixed_dictionaries(
        {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]), "path": PATHS, "from": PATHS},
        optional={"value": st.sampled_from([1, None, [], {}, [1, [2]], {"c": []}, "x"])},
    ),
    max_size=8,
)


@given(OPERATIONS)
def test_any_patch_is_applied_or_refused_with_one_of_our_errors(patch: list[dict[str, Any]]) -> None:
    document = {"a": [1, {"b": 2}], "b": {"c": [3]}}
    sent = deepcopy(patch)
    with suppress(InvalidRequest, TooLarge):
        apply(document, operations(patch), 2_000)
    assert document == {"a": [1, {"b": 2}], "b": {"c": [3]}}
    assert patch == sent
    with suppress(InvalidRequest, TooLarge):
        assert apply(document, operations(patch), 2_000) == plain(document, patch)


def plain(document: dict[str, Any], patch: list[dict[str, Any]]) -> Any:
    """The library's own way, on a copy of everything."""
    return jsonpatch.JsonPatch(patch).apply(document)
