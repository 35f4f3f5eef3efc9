"""Documents as a program's classes: to JSON and back; and what a program changed in one, as a patch."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import jsonpatch
import msgspec
import pydantic
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eskit.client import changes
from eskit.client.documents import Shape
from eskit.errors import DocumentMismatch


@dataclass
class Address:
    city: str


@dataclass
class AsDataclass:
    name: str
    address: Address | None = None
    tags: list[str] = field(default_factory=list)


class AsStruct(msgspec.Struct):
    name: str
    address: Address | None = None
    tags: list[str] = []


class PydanticAddress(pydantic.BaseModel):
    city: str


class AsModel(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(populate_by_name=True)

    name: str
    address: PydanticAddress | None = None
    tags: list[str] = pydantic.Field(default=[], alias="labels")


@pytest.mark.parametrize(
    ("kind", "document", "text"),
    [
        (
            AsDataclass,
            AsDataclass("Ann", Address("Bern"), ["x"]),
            '{"name":"Ann","address":{"city":"Bern"},"tags":["x"]}',
        ),
        (AsStruct, AsStruct("Ann", Address("Bern"), ["x"]), '{"name":"Ann","address":{"city":"Bern"},"tags":["x"]}'),
        (
            AsModel,
            AsModel(name="Ann", address=PydanticAddress(city="Bern"), labels=["x"]),
            '{"name":"Ann","address":{"city":"Bern"},"labels":["x"]}',
        ),
        (dict, {"name": "Ann", "more": [1, None]}, '{"name":"Ann","more":[1,null]}'),
    ],
)
def test_every_kind_of_class_becomes_json_and_comes_back(kind: type[Any], document: Any, text: str) -> None:
    shape = Shape(kind)
    assert shape.encode(document) == text.encode()
    assert shape.decode(text.encode()) == document
    assert type(shape.decode(text.encode())) is type(document)
    assert shape.encode(text.encode()) == text.encode()


@pytest.mark.parametrize("kind", [AsDataclass, AsStruct, AsModel])
@pytest.mark.parametrize("body", [b'{"name": 1}', b"{}", b"[]", b"no JSON"])
def test_a_document_that_does_not_fit_is_an_error_of_ours(kind: type[Any], body: bytes) -> None:
    with pytest.raises(DocumentMismatch, match=f"no {kind.__qualname__}"):
        Shape(kind).decode(body)


names = st.sampled_from(["a", "b", "", "a/b", "~", "ä"])
# Small ones: the machine may be slow at making them.
leaves = st.none() | st.booleans() | st.integers(-2, 2) | st.floats(-2, 2, width=16) | st.text(max_size=3)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=3), max_leaves=6
)
documents = st.dictionaries(names, values, max_size=3)
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def same(one: Any, other: Any) -> bool:
    return msgspec.json.encode(one, order="sorted") == msgspec.json.encode(other, order="sorted")


@unhurried
@given(documents, documents)
def test_a_patch_leads_from_what_was_got_to_what_was_made(got: Any, made: Any) -> None:
    operations = changes.patch(got, got, made)
    assert same(jsonpatch.apply_patch(deepcopy(got), operations), made)
    assert bool(operations) != same(got, made)


@unhurried
@given(documents, documents, st.dictionaries(st.sampled_from(["unknown", "also"]), values))
def test_members_that_the_class_does_not_know_stay(got: Any, made: Any, unknown: Any) -> None:
    operations = changes.patch(got | unknown, got, made)
    assert same(jsonpatch.apply_patch(deepcopy(got | unknown), operations), made | unknown)


def test_a_default_that_stands_in_a_class_is_no_change() -> None:
    shape = Shape(AsDataclass)
    decoded = shape.decode(b'{"name":"Ann"}')
    assert shape.plain(decoded) == shape.plain(AsDataclass("Ann")) == {"name": "Ann", "address": None, "tags": []}


def test_what_is_inside_an_object_is_changed_inside_it() -> None:
    stored = {"address": {"city": "Bern", "floor": 3}, "name": "Ann"}
    got, made = {"address": {"city": "Bern"}, "name": "Ann"}, {"address": {"city": "Basel"}, "name": "Ann"}
    assert changes.patch(stored, got, made) == [{"op": "add", "path": "/address/city", "value": "Basel"}]


def test_a_default_that_the_stored_document_lacks_may_be_changed_and_removed() -> None:
    got: dict[str, Any] = {"name": "Ann", "address": {"city": ""}, "nick": "x"}
    made = {"name": "Ann", "address": {"city": "Bern"}}
    assert changes.patch({"name": "Ann"}, got, made) == [{"op": "add", "path": "/address", "value": {"city": "Bern"}}]


def test_a_change_in_more_places_than_a_patch_may_have_replaces_their_object() -> None:
    got = {"counts": {str(n): 0 for n in range(1001)}}
    made = {"counts": {str(n): 1 for n in range(1001)}}
    assert changes.patch(got, got, made) == [{"op": "add", "path": "/counts", "value": made["counts"]}]
