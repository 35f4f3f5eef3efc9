"""`GET /v1/entities/{entity_type}/{id}`: an entity as it is, or as it was."""

from __future__ import annotations

from datetime import datetime
from email.utils import formatdate
from typing import Annotated, Any

import msgspec
from aiohttp import web
from msgspec import Meta

from crud_svc.api import headers
from crud_svc.api.resources import ENTITIES, ENTITY_PATH, Version
from crud_svc.documents.state import State
from crud_svc.entities import preconditions
from crud_svc.entities.reading import Place
from eskit.errors import Deleted, InvalidRequest, NotFound, PreconditionFailed
from eskit.web import queries
from eskit.web.answers import Answer
from eskit.web.etags import IF_MATCH, IF_NONE_MATCH, etag, tags
from eskit.web.operations import JSON, Content, Operation
from eventstore_svc.store import LAST_VERSION

PLACES = ("version", "at", "position")


class ReadQuery(msgspec.Struct, kw_only=True):
    """As of when; at most one of the first three."""

    version: Annotated[Version, Meta(description="As it was at this version.")] | None = None
    at: Annotated[datetime, Meta(tz=True, description="As it was at this moment (recorded time).")] | None = None
    position: (
        Annotated[int, Meta(ge=1, le=queries.MAX_POSITION, description="As it was when the log ended here.")] | None
    ) = None
    deleted: Annotated[bool, Meta(description="Of a deleted entity its last document, instead of 410.")] = False


async def get_entity(request: web.Request) -> Answer:
    """The document, as it is or as it was: at a version, at a moment, or when the log ended at a position.

    With one `position` any number of entities are seen as of the same state of the whole log.
    """
    query = queries.parse(request, ReadQuery)
    target = headers.target(request)
    given = [name for name in PLACES if getattr(query, name) is not None]
    if len(given) > 1:
        raise InvalidRequest(f"give only one of {', '.join(PLACES)}", field=given[1])
    wanted, known = tags(request, IF_MATCH), tags(request, IF_NONE_MATCH)
    place = Place(query.version or LAST_VERSION, query.at, query.position)
    state = await request.app[ENTITIES].reader.state(target, place)
    if query.version is not None and 0 < state.version < query.version:
        message = f"{target} has no version {query.version}: it is at {state.version}"
        raise NotFound(message, field="version", version=state.version)
    if not (query.deleted and state.deleted_at):
        state.require(str(target))
    if wanted is not None:
        preconditions.require(wanted, state)
    sent = of_state(state) | {"Eskit-Position": str(state.position), "Cache-Control": "no-cache"}
    if state.deleted_at:
        sent["Eskit-Deleted"] = str(state.deleted_at)
    if known is not None and known.name(state.version):
        return Answer(status=304, headers=sent)
    return Answer(state.body(), headers=sent, content_type=JSON)


def of_state(state: State) -> dict[str, str]:
    """The headers that say which version of a document this is."""
    found = {"ETag": etag(state.version)}
    if state.modified_us:
        found["Last-Modified"] = formatdate(state.modified_us // 1_000_000, usegmt=True)
    return found


SENT = {
    "ETag": "The version.",
    "Last-Modified": "When it was recorded.",
    "Eskit-Position": "Position of the entity's last event in the log.",
    "Eskit-Deleted": "Only with `deleted=true`: the version of the deletion.",
}

OPERATIONS = (
    Operation(
        method="GET",
        path=ENTITY_PATH,
        handler=get_entity,
        query=ReadQuery,
        headers={
            IF_NONE_MATCH: "ETags of versions that the client has; 304 when it is at one of them.",
            IF_MATCH: "Only if it is at one of these versions.",
        },
        answers={
            200: Content("The document.", {JSON: dict[str, Any]}, SENT, example={"name": "Ann"}),
            304: Content("It is at a version that the client has.", headers=SENT),
        },
        errors=(NotFound, Deleted, PreconditionFailed),
    ),
)
