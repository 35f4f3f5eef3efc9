"""Calls about types to a CRUD service in this process."""

from __future__ import annotations

from typing import Any

from tests.integration.crud_calls import Crud, Reply

PERSON: dict[str, Any] = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "additionalProperties": False,
}


def type_path(name: str = "User") -> str:
    """The path of a type."""
    return f"/v1/types/{name}"


async def register(crud: Crud, schema: Any = None, name: str = "User", query: str = "", **more: Any) -> Reply:
    """A new type; `more`: members of the body, or headers with _ for -."""
    return await put_type(crud, PERSON if schema is None else schema, None, name, query, **more)


async def put_type(
    crud: Crud, schema: Any, match: str | None = "*", name: str = "User", query: str = "", **more: Any
) -> Reply:
    """A new version of a type, or with no `match` a new type."""
    body = {"schema": schema, **{key: value for key, value in more.items() if key == "compatibility"}}
    sent = {key: value for key, value in more.items() if key != "compatibility"}
    sent |= {"If_None_Match": "*"} if match is None else {"If_Match": match}
    return await crud.call("PUT", type_path(name) + query, body, **sent)


async def check_type(crud: Crud, schema: Any, name: str = "User", **more: Any) -> Reply:
    """A dry run."""
    return await crud.call("POST", f"{type_path(name)}:check", {"schema": schema}, **more)
