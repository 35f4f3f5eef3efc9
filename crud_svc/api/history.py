"""`…/history`, `…/blame`, `…/diff`: what became of an entity, and by whom."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from aiohttp import web
from jsonpointer import JsonPointer, JsonPointerException
from msgspec import Meta

from crud_svc.api import headers
from crud_svc.api.resources import ENTITIES, ENTITY_PATH, MAX_PAGE, Version
from crud_svc.documents import difference
from crud_svc.documents.exact_json import encode, identical
from crud_svc.documents.state import State
from crud_svc.entities.blame import blame
from crud_svc.entities.history import Wanted, history
from crud_svc.entities.reading import Place, Reader
from crud_svc.entities.target import Target
from eskit.entities import Blame, HistoryPage
from eskit.errors import Deleted, InvalidRequest, NotFound
from eskit.web import queries
from eskit.web.answers import Answer
from eskit.web.operations import JSON, Content, Operation

MERGE_PATCH, JSON_PATCH, TEXT = "application/merge-patch+json", "application/json-patch+json", "text/plain"


class HistoryQuery(msgspec.Struct, kw_only=True):
    """Which part of a history."""

    from_version: (
        Annotated[Version, Meta(description="Where to begin: by default at the first version, backward at the last.")]
        | None
    ) = None
    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE, description="Most events of a page.")] = 100
    direction: Annotated[Literal["forward", "backward"], Meta(description="`forward`: oldest first.")] = "forward"
    field: (
        Annotated[str, Meta(max_length=2000, description="A JSON pointer: only changes of it, or of a part of it.")]
        | None
    ) = None


class BlameQuery(msgspec.Struct, kw_only=True):
    """As of which version."""

    version: Annotated[Version, Meta(description="By default the present one.")] | None = None


class DiffQuery(msgspec.Struct, kw_only=True, rename={"from_": "from"}):
    """Between which versions, and how it is said."""

    from_: Annotated[Version, Meta(description="A version.")]
    to: Annotated[Version, Meta(description="Another one, earlier or later; by default the present one.")] | None = None
    format: Annotated[
        Literal["json-patch", "merge-patch", "text"],
        Meta(description="`merge-patch` only where it says the change exactly; `text` is for people."),
    ] = "json-patch"


async def get_history(request: web.Request) -> Answer:
    """The events of an entity, with the fields each one changed. Also of a deleted one."""
    wanted = part(queries.parse(request, HistoryQuery))
    page = await history(request.app[ENTITIES].reader, headers.target(request), wanted)
    return Answer(encode(page), content_type=JSON)


def part(query: HistoryQuery) -> Wanted:
    """The part of a history that a query asks for; raises InvalidRequest."""
    return Wanted(query.from_version, query.limit, query.direction == "forward", _pointer(query.field))


async def get_blame(request: web.Request) -> Answer:
    """For each field of the document, which event has set it: who, and when."""
    query = queries.parse(request, BlameQuery)
    target, reader = headers.target(request), request.app[ENTITIES].reader
    state = await at_version(reader, target, query.version)
    return Answer(encode(await blame(reader, target, state)), content_type=JSON)


async def get_diff(request: web.Request) -> Answer:
    """What leads from one version of the document to another; where it is deleted it counts as an empty one."""
    query = queries.parse(request, DiffQuery)
    target, reader = headers.target(request), request.app[ENTITIES].reader
    old = (await at_version(reader, target, query.from_)).document or {}
    new = (await at_version(reader, target, query.to)).document or {}
    if query.format == "text":
        return Answer(difference.as_text(old, new).encode(), content_type=f"{TEXT}; charset=utf-8")
    if query.format == "json-patch":
        return Answer(encode(difference.json_patch(old, new)), content_type=JSON_PATCH)
    patch = difference.merge_patch(old, new)
    if not identical(difference.merged(old, patch), new):
        message = "a merge patch cannot say this change exactly (a member becomes null); ask for format=json-patch"
        raise InvalidRequest(message, field="format")
    return Answer(encode(patch), content_type=MERGE_PATCH)


async def at_version(reader: Reader, target: Target, version: int | None, name: str = "version") -> State:
    """The state at a version, or the present one; raises NotFound for a version that there is not, or no entity."""
    state = await reader.state(target, Place() if version is None else Place(version))
    if state.version == 0:
        raise NotFound(f"There is no {target}")
    if version is not None and state.version < version:
        raise NotFound(
            f"{target} has no version {version}: it is at {state.version}", field=name, version=state.version
        )
    return state


def _pointer(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return str(JsonPointer(text).path)
    except JsonPointerException as error:
        raise InvalidRequest(f"field must be a JSON pointer, like /address/city: {error}", field="field") from None


OPERATIONS = (
    Operation(
        method="GET",
        path=f"{ENTITY_PATH}/history",
        handler=get_history,
        query=HistoryQuery,
        answers={200: Content("A page. `next` is for `from_version`; null at the end.", {JSON: HistoryPage})},
        errors=(NotFound,),
    ),
    Operation(
        method="GET",
        path=f"{ENTITY_PATH}/blame",
        handler=get_blame,
        query=BlameQuery,
        answers={200: Content("Its fields, in the document's order.", {JSON: Blame})},
        errors=(NotFound, Deleted),
    ),
    Operation(
        method="GET",
        path=f"{ENTITY_PATH}/diff",
        handler=get_diff,
        query=DiffQuery,
        answers={
            200: Content("The difference.", {JSON_PATCH: list[dict[str, Any]], MERGE_PATCH: dict[str, Any], TEXT: str})
        },
        errors=(NotFound,),
    ),
)
