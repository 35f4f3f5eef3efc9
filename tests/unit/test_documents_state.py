"""The state of an entity is the fold of its events: against a plain reference, and in the face of foreign events."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crud_svc.documents.difference import difference
from crud_svc.documents.exact_json import MAX_DEPTH, depth, encode, parse_object
from crud_svc.documents.state import State, fold
from eskit.errors import Deleted, NotFound
from eskit.events import Stored


def event(version: int, action: str, payload: bytes | str) -> Stored:
    text = payload.decode() if isinstance(payload, bytes) else payload
    return Stored(version * 10, f"id-{version}", "User", "u", version, action, text, "{}", 5, version * 1000)


def folded(*events: tuple[str, bytes | str]) -> State:
    state = State()
    for version, (action, payload) in enumerate(events, 1):
        state = fold(state, event(version, action, payload))
    return state


FIELDS = st.dictionaries(
    st.sampled_from("abc"),
    st.recursive(
        st.none() | st.integers(-5, 5) | st.text("xyz", max_size=2),
        lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=2) | st.lists(inner, max_size=2),
        max_leaves=5,
    ),
)
STEPS = st.lists(
    st.one_of(
        FIELDS.map(lambda document: ("put", document)),
        st.just(("delete", {})),
        FIELDS.map(lambda document: ("restore", document)),
        st.sampled_from(["Approved", "Viewed"]).map(lambda action: (action, {"foreign": True})),
    ),
    max_size=12,
)


@settings(max_examples=200)
@given(STEPS)
def test_the_fold_agrees_with_keeping_the_document_itself(steps: list[tuple[str, dict[str, Any]]]) -> None:
    kept: dict[str, Any] | None = None  # the reference: no events, only the present document
    deleted = False
    events: list[tuple[str, bytes]] = []
    for step, document in steps:
        match step:
            case "put" if kept is None:
                events.append(("Created", encode(document)))
                kept, deleted = document, False
            case "put":
                if payload := difference(kept or {}, document):
                    events.append(("Updated", payload))
                kept = document
            case "delete" if kept is not None:
                events.append(("Deleted", b"{}"))
                kept, deleted = None, True
            case "restore":
                events.append(("Restored", encode(document)))
                kept, deleted = document, False
            case "Approved" | "Viewed":
                events.append((step, b'{"foreign":true}'))
    state = folded(*events)
    assert state.document == kept
    assert state.alive == (kept is not None)
    assert bool(state.deleted_at) == deleted
    assert state.version == len(events)
    assert state.position == 10 * len(events)
    assert state.modified_us == 1000 * len(events)
    if kept is not None:
        assert json.loads(state.body()) == kept


def test_a_document_never_updated_is_what_was_sent() -> None:
    sent = b' { "b" : 1.0, "a":"\\u00e4" } '
    assert folded(("Created", sent)).body() == sent
    assert folded(("Created", sent), ("Approved", "{}")).body() == sent
    assert (
        folded(("Created", sent), ("Updated", '{"merge_patch":{"c":1e0}}')).body()
        == '{"b":1.0,"a":"ä","c":1e0}'.encode()
    )
    assert folded(("Created", "{}"), ("Deleted", "{}"), ("Restored", sent)).body() == sent


def test_an_entity_after_its_deletion_starts_anew() -> None:
    state = folded(("Created", '{"a":1}'), ("Deleted", "{}"))
    with pytest.raises(Deleted) as caught:
        state.require("User 'u'")
    assert caught.value.extra == {"version": 2}
    again = fold(state, event(3, "Created", '{"b":2}'))
    assert (again.document, again.version, again.deleted_at) == ({"b": 2}, 3, 0)


def test_an_absent_entity_may_have_versions() -> None:
    state = folded(("Approved", "{}"), ("Deleted", "{}"), ("Updated", '{"merge_patch":{"a":1}}'))
    assert state.version == 3
    with pytest.raises(NotFound):
        state.require("User 'u'")


FOREIGN = [
    ("Approved", '{"by":"ann"}'),
    ("Updated", '{"name":"not a patch"}'),
    ("Updated", '{"merge_patch":{"a":2},"more":1}'),
    ("Updated", '{"merge_patch":[1]}'),
    ("Updated", '{"json_patch":{}}'),
    ("Updated", '{"json_patch":[{"op":"copy","from":"/a","path":"/b"}]}'),
    ("Updated", '{"json_patch":[{"op":"move","from":"/a","path":"/b"}]}'),
    ("Updated", '{"json_patch":[{"op":"test","path":"/a","value":1}]}'),
    ("Updated", '{"json_patch":[{"op":"remove","path":"/nope"}]}'),
    ("Updated", '{"json_patch":[{"op":"replace","path":"","value":[]}]}'),
    ("Updated", '{"json_patch":[' + ",".join(['{"op":"copy","from":"","path":"/a"}'] * 200) + "]}"),
    ("Created", '{"a":2,"a":3}'),
    ("Created", '{"a":' * 300 + "1" + "}" * 300),
    ("Created", '{"a":' * 5000 + "1" + "}" * 5000),
    ("Restored", "[]"),
]


@pytest.mark.parametrize(("action", "payload"), FOREIGN)
def test_a_foreign_event_counts_and_changes_nothing(action: str, payload: str) -> None:
    before = folded(("Created", '{"a":1}'))
    after = fold(before, event(2, action, payload))
    assert (after.version, after.position) == (2, 20)
    assert after.document == {"a": 1}
    payload_after = difference(after.require("it"), {"a": 5})
    assert payload_after is not None
    assert fold(after, event(3, "Updated", payload_after)).document == {"a": 5}


def test_the_deepest_document_can_be_updated_and_read() -> None:
    def deep(inner: str) -> bytes:
        return ('{"a":' * (MAX_DEPTH - 1) + inner + "}" * (MAX_DEPTH - 1)).encode()

    state = folded(("Created", deep('{"x":1}')))
    for inner in ('{"x":null}', '{"x":2}', "[null]"):
        payload = difference(state.require("it"), parse_object(deep(inner)))
        assert payload is not None
        state = fold(state, event(state.version + 1, "Updated", payload))
        assert state.body() == deep(inner)


def too_deep(levels: int) -> str:
    return "[" * levels + "1" + "]" * levels


@pytest.mark.parametrize("levels", range(MAX_DEPTH - 3, MAX_DEPTH + 4))
@pytest.mark.parametrize(
    "patch",
    [
        '{"merge_patch":{"a":%s}}',
        '{"merge_patch":{"b":{"c":%s}}}',
        '{"json_patch":[{"op":"add","path":"/a","value":%s}]}',
        '{"json_patch":[{"op":"replace","path":"","value":{"a":%s}}]}',
        '{"json_patch":[{"op":"add","path":"/b/c","value":%s}]}',
    ],
)
def test_no_event_makes_a_document_too_deep_for_our_own_writes(patch: str, levels: int) -> None:
    state = folded(("Created", '{"b":{}}'), ("Updated", patch % too_deep(levels)))
    document = state.require("it")
    assert depth(document) <= MAX_DEPTH
    assert (depth(document) > 2) == (levels + (2 if '"c"' in patch or "/c" in patch else 1) <= MAX_DEPTH)
    wanted = {**document, "n": None}
    payload = difference(document, wanted)
    assert payload is not None
    assert fold(state, event(3, "Updated", payload)).document == wanted
