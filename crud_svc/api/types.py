"""`/v1/types`: the JSON Schemas of entities: reading and writing them."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from aiohttp import web
from msgspec import Meta

from crud_svc.api import headers, preconditions
from crud_svc.api.entities import ABOUT, BASED_ON, SENT
from crud_svc.api.history import HistoryQuery, part
from crud_svc.api.resources import TYPES, Version
from crud_svc.documents.exact_json import encode, parse_object
from crud_svc.documents.state import CREATED
from crud_svc.entities.history import history
from crud_svc.types import records, schemas
from crud_svc.types.records import Record
from crud_svc.types.types import Change
from eskit import names, times
from eskit.client.http import segment
from eskit.entities import HistoryPage
from eskit.errors import (
    EventIdReused,
    IncompatibleSchema,
    NotFound,
    OutcomeUnknown,
    Overloaded,
    PreconditionFailed,
    PreconditionRequired,
    TooLarge,
    VersionConflict,
)
from eskit.types import Mode, TypeAnswer, TypesPage, TypeWritten
from eskit.web import bodies, queries
from eskit.web.answers import Answer
from eskit.web.etags import IF_NONE_MATCH, etag, unchanged
from eskit.web.operations import JSON, Content, Operation
from eventstore_svc.store import LAST_VERSION

# Without the colon that `:check` begins with: that is another resource, for all methods.
TYPE_PATH = "/v1/types/{entity_type:[^/:]+}"
MAX_PAGE = 100
# Of a body: its schema, and room for what is around it and for line ends and blanks.
MAX_BODY_BYTES = 4 * schemas.MAX_BYTES
AROUND_SCHEMA = 1  # levels

_ANY_OBJECT = Meta(description=f"JSON Schema: {', '.join(schemas.DRAFTS.values())}; without `$schema` 2020-12.")


class TypeIn(msgspec.Struct, forbid_unknown_fields=True):
    """What a type is to be; `compatibility` stays as it is where it is left out, and is `none` for a new type."""

    schema: Annotated[dict[str, Any], _ANY_OBJECT]
    compatibility: Mode | None = None


class PutQuery(msgspec.Struct, kw_only=True):
    """How to put."""

    skip_duplicate: Annotated[
        bool, Meta(description="Where the type is like this already, answer its version, whatever the preconditions.")
    ] = False


class TypeQuery(msgspec.Struct, kw_only=True):
    """Which version."""

    version: Annotated[Version, Meta(description="By default the present one.")] | None = None


class ListQuery(msgspec.Struct, kw_only=True):
    """Which page."""

    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE, description="Most types of a page.")] = 20
    after: Annotated[str, Meta(max_length=names.MAX_TYPE_BYTES, description="The last page's `next`.")] = ""


async def put_type(request: web.Request) -> Answer:
    """Register a type (`If-None-Match: *`), or give it a new version (`If-Match`).

    Entities that are written from now on are held against its schema; those that are stored stay as they are. A new
    schema has to be compatible with the present one as the type's mode says, or the mode that comes with it. What is
    the same as before makes no new version.
    """
    query = queries.parse(request, PutQuery)
    entity_type = headers.written_type(request)
    wanted = None if preconditions.creates(request) else preconditions.required(request)
    about = headers.about(request)
    given = await body(request)
    types = request.app[TYPES]
    change = Change(entity_type, await types.accepted(given.schema), given.compatibility, wanted, query.skip_duplicate)
    written = await types.write(change, about)
    created = written.event is not None and written.event.action == CREATED
    sent = {"ETag": etag(written.version), "Eskit-Position": str(written.position)}
    if created:
        sent["Location"] = f"/v1/types/{segment(entity_type)}"
    answer = TypeWritten(entity_type, written.version, written.position)
    return bodies.json_response(answer, status=201 if created else 200, headers=sent)


async def get_type(request: web.Request) -> Answer:
    """A type: its schema and its compatibility mode."""
    query = queries.parse(request, TypeQuery)
    found = await request.app[TYPES].get(_name(request), query.version or LAST_VERSION)
    sent = {"ETag": etag(found.version), "Eskit-Position": str(found.position), "Cache-Control": "no-cache"}
    if unchanged(request, found.version):
        return Answer(status=304, headers=sent)
    return Answer(encode(_answer(found)), headers=sent, content_type=JSON)


async def list_types(request: web.Request) -> Answer:
    """Types in the order of their names."""
    query = queries.parse(request, ListQuery)
    after = names.entity_type(query.after, "after") if query.after else ""
    found = await request.app[TYPES].after(after, query.limit + 1)
    page = found[: query.limit]
    following = page[-1].entity_type if len(found) > query.limit else None
    return Answer(encode(TypesPage([*map(_answer, page)], following)), content_type=JSON)


async def get_type_history(request: web.Request) -> Answer:
    """The versions of a type: who made them, when, and what each changed."""
    wanted = part(queries.parse(request, HistoryQuery))
    found = await history(request.app[TYPES].reader, records.target(_name(request)), wanted)
    return Answer(encode(found), content_type=JSON)


async def body(request: web.Request) -> TypeIn:
    """The body; raises MalformedRequest, InvalidRequest, TooLarge."""
    text = await bodies.read(request, JSON)
    if len(text) > MAX_BODY_BYTES:
        raise TooLarge(f"The body has more than {MAX_BODY_BYTES} bytes", field="body", limit=MAX_BODY_BYTES)
    value = parse_object(text, "The body", schemas.MAX_LEVELS + AROUND_SCHEMA)
    try:
        return msgspec.convert(value, TypeIn)
    except msgspec.ValidationError as error:
        raise bodies.invalid(error) from None


def _name(request: web.Request) -> str:
    return names.entity_type(request.match_info["entity_type"])


def _answer(found: Record) -> TypeAnswer:
    recorded = times.rfc3339(found.modified_us)
    return TypeAnswer(found.entity_type, found.version, found.compatibility, found.schema, found.position, recorded)


EXAMPLE = {
    "schema": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
    "compatibility": "backward",
}
_about = {name: text for name, text in ABOUT.items() if name != "Prefer"}
_written = {"type": "User", "version": 1, "position": 16}

OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/types",
        handler=list_types,
        query=ListQuery,
        answers={200: Content("A page of types.", {JSON: TypesPage})},
    ),
    Operation(
        method="PUT",
        path=TYPE_PATH,
        handler=put_type,
        query=PutQuery,
        headers=BASED_ON | {IF_NONE_MATCH: "`*`: register."} | _about,
        body=Content("The type.", {JSON: TypeIn}, example=EXAMPLE),
        answers={
            200: Content("A new version, or as it was.", {JSON: TypeWritten}, SENT, _written | {"version": 2}),
            201: Content("Registered.", {JSON: TypeWritten}, SENT | {"Location": "The type's path."}, _written),
        },
        errors=(NotFound, PreconditionFailed, PreconditionRequired, IncompatibleSchema, EventIdReused, VersionConflict,
                Overloaded, OutcomeUnknown),
    ),
    Operation(
        method="GET",
        path=TYPE_PATH,
        handler=get_type,
        query=TypeQuery,
        headers={IF_NONE_MATCH: "ETags of versions that the client has; 304 when it is at one of them."},
        answers={
            200: Content("The type.", {JSON: TypeAnswer}, SENT),
            304: Content("It is at a version that the client has.", headers=SENT),
        },
        errors=(NotFound,),
    ),
    Operation(
        method="GET",
        path=f"{TYPE_PATH}/history",
        handler=get_type_history,
        query=HistoryQuery,
        answers={200: Content("A page. `next` is for `from_version`; null at the end.", {JSON: HistoryPage})},
        errors=(NotFound,),
    ),
)  # fmt: skip
