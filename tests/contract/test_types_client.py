"""Types on both kinds of services: what is registered holds for entities, whoever writes them."""

from __future__ import annotations

from typing import Any

import pytest

from eskit.client import Connections, Entities, EventStore, NewEvent, Types
from eskit.errors import IncompatibleSchema, InvalidRequest, NotFound, PreconditionFailed, SchemaViolated

PERSON: dict[str, Any] = {"type": "object", "required": ["name"], "properties": {"age": {"type": "integer"}}}


@pytest.fixture
def types(crud: Connections) -> Types:
    return Types(crud)


@pytest.fixture
def documents(crud: Connections) -> Entities[dict[str, Any]]:
    return Entities(crud, "User")


async def test_a_registered_type_holds_for_its_entities(types: Types, documents: Entities[dict[str, Any]]) -> None:
    await types.register("User", PERSON)
    with pytest.raises(SchemaViolated) as caught:
        await documents.create({"age": "x"}, ident="u")
    assert sorted(one["pointer"] for one in caught.value.extra["violations"]) == ["", "/age"]
    await documents.create({"name": "Ann", "age": 1}, ident="u")
    assert (await documents.history("u")).events[0].metadata["schema_version"] == "1"
    with pytest.raises(SchemaViolated):
        await documents.patch("u", {"name": None}, version=1)


async def test_versions_modes_and_the_list(types: Types) -> None:
    await types.register("User", PERSON, compatibility="backward")
    with pytest.raises(PreconditionFailed):
        await types.register("User", {})
    with pytest.raises(IncompatibleSchema) as caught:
        await types.update("User", PERSON | {"required": ["name", "age"]}, version=1)
    assert [one["pointer"] for one in caught.value.extra["incompatibilities"]] == ["/required"]
    assert (await types.ensure("User", PERSON | {"required": []})).version == 2
    assert (await types.ensure("User", PERSON | {"required": []})).version == 2
    assert (await types.get("User", version=1)).schema == PERSON
    await types.register("Animal", {})
    assert [(one.type, one.version) async for one in types.all()] == [("Animal", 1), ("User", 2)]
    with pytest.raises(NotFound):
        await types.get("Nothing")


async def test_a_dry_run(types: Types, documents: Entities[dict[str, Any]]) -> None:
    for ident, document in (("a", {"age": 1}), ("b", {"name": "B"}), ("c", {"age": "x"})):
        await documents.create(document, ident=ident)
    found = await types.check("User", PERSON)
    assert (found.checked, found.violating, [one.id for one in found.first]) == (3, 2, ["a", "c"])


async def test_nobody_writes_where_types_are_kept(crud: Connections, events: EventStore, types: Types) -> None:
    await types.register("User", PERSON)
    with pytest.raises(InvalidRequest):
        await Entities(crud, "eskit.Type").create({"schema": {}}, ident="Other")
    with pytest.raises(InvalidRequest):
        await events.append(NewEvent(id="User", event_type="eskit.Type.Updated", payload={}))
