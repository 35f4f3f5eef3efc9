"""Types through the client, on both kinds of services: what is held against them, how they change, dry runs."""

from __future__ import annotations

from typing import Any

import pytest

from eskit.client import About, Connections, Entities, Types
from eskit.errors import IncompatibleSchema, InvalidRequest, NotFound, PreconditionFailed, SchemaViolated

NAMED = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
AGED = NAMED | {"required": ["name", "age"]}


@pytest.fixture
def types(crud: Connections) -> Types:
    return Types(crud)


@pytest.fixture
def users(crud: Connections) -> Entities[dict[str, Any]]:
    return Entities(crud, "User")


async def test_documents_are_held_against_their_type(types: Types, users: Entities[dict[str, Any]]) -> None:
    await users.create({"age": 1}, ident="old")
    registered = await types.register("User", NAMED)
    assert (registered.type, registered.version) == ("User", 1)
    with pytest.raises(SchemaViolated) as violated:
        await users.create({"name": 1, "age": 2})
    assert violated.value.extra["violations"][0]["pointer"] == "/name"
    await users.create({"name": "Ann"}, ident="ann")
    with pytest.raises(SchemaViolated):
        await users.update("ann", lambda _: {})
    with pytest.raises(SchemaViolated):
        await users.patch("old", {"age": 2}, version=1)
    assert (await users.history("ann")).events[0].metadata["schema_version"] == "1"


async def test_versions_of_a_type(types: Types) -> None:
    with pytest.raises(NotFound):
        await types.get("User")
    await types.register("User", NAMED, compatibility="backward", about=About(user="ann"))
    with pytest.raises(PreconditionFailed):
        await types.register("User", NAMED)
    with pytest.raises(IncompatibleSchema) as refused:
        await types.update("User", AGED, version=1)
    assert refused.value.extra["incompatibilities"][0]["pointer"] == "/required"
    with pytest.raises(PreconditionFailed):
        await types.update("User", NAMED, version=7)
    changed = await types.update("User", AGED, version=1, compatibility="none")
    assert changed.version == 2
    first, now = await types.get("User", version=1), await types.get("User")
    assert (first.schema, first.compatibility, now.schema, now.compatibility) == (NAMED, "backward", AGED, "none")
    history = (await types.history("User")).events
    assert [(event.version, event.user) for event in history] == [(1, "ann"), (2, None)]
    with pytest.raises(InvalidRequest) as wrong:
        await types.register("Order", {"type": "nonsense"})
    assert wrong.value.field is not None
    assert wrong.value.field.startswith("/schema")


async def test_a_type_is_ensured_at_each_start(types: Types) -> None:
    versions = [(await types.ensure("User", schema)).version for schema in (NAMED, NAMED, AGED, AGED, NAMED)]
    assert versions == [1, 1, 2, 2, 3]


async def test_all_types_in_the_order_of_their_names(types: Types) -> None:
    for name in ("b", "a", "com.acme.User"):
        await types.register(name, {})
    page = await types.list(limit=2)
    assert ([one.type for one in page.types], page.next) == (["a", "b"], "b")
    assert [one.type async for one in types.all()] == ["a", "b", "com.acme.User"]


async def test_a_dry_run_tells_what_a_schema_would_not_take(types: Types, users: Entities[dict[str, Any]]) -> None:
    for number in range(3):
        await users.create({"name": "Ann"} if number else {"name": 1}, ident=f"u{number}")
    checked = await types.check("User", NAMED)
    assert (checked.checked, checked.violating, checked.incompatibilities) == (3, 1, [])
    assert [(one.id, one.violations[0].pointer) for one in checked.first] == [("u0", "/name")]


async def test_declared_indexes(types: Types) -> None:
    declared = await types.declare_index("User", "city", "-age")
    assert declared.fields == ["/city", "-/age"]
    assert [index.name for index in await types.indexes("User")] == [declared.name]
    await types.drop_index("User", declared.name)
    assert await types.indexes("User") == []
    with pytest.raises(NotFound):
        await types.drop_index("User", declared.name)
