"""The writes: POST, PUT, PATCH, DELETE and restore."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from crud_svc.api import headers, preconditions
from crud_svc.api.history import at_version
from crud_svc.api.reading import of_state
from crud_svc.api.resources import ENTITIES, Version
from crud_svc.documents import patches
from crud_svc.documents.exact_json import MAX_DEPTH, parse, parse_object
from crud_svc.documents.state import CREATED
from crud_svc.entities import writes
from crud_svc.entities.entities import Written
from crud_svc.entities.preconditions import require_never_deleted, require_none
from crud_svc.entities.target import Target, document_limit
from eskit import entities
from eskit.client.http import segment
from eskit.errors import InvalidRequest, UnsupportedMediaType
from eskit.web import bodies, queries
from eskit.web.answers import Answer
from eskit.web.etags import IF_MATCH, IF_NONE_MATCH, etag
from eskit.web.operations import JSON

MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"


class RestoreQuery(msgspec.Struct, kw_only=True):
    """To which version."""

    version: (
        Annotated[Version, Meta(description="Whose document; without it, a deleted entity as it was before.")] | None
    ) = None


async def create_entity(request: web.Request) -> Answer:
    """A new entity with an id made up here: the event's id, so that a retry with the same Idempotency-Key finds it."""
    queries.parse(request, queries.NoQuery)
    preconditions.refuse(request, IF_MATCH, IF_NONE_MATCH)
    about = headers.about(request)
    target = Target(headers.written_type(request), str(about.event_id))
    return await _write(request, writes.create(target, about, await _given(request), check=lambda _: None))


async def create_entity_with_id(request: web.Request) -> Answer:
    """A new entity with an id of one's own, which must never have been used.

    A deleted entity is not created anew by this: restore it, or `PUT` with `If-None-Match: *`, which goes on in its
    history.
    """
    queries.parse(request, queries.NoQuery)
    preconditions.refuse(request, IF_MATCH, IF_NONE_MATCH)
    target, about = headers.written(request), headers.about(request)
    check = partial(require_never_deleted, str(target))
    return await _write(request, writes.create(target, about, await _given(request), check=check))


async def put_entity(request: web.Request) -> Answer:
    """A whole document: in place of the present one (`If-Match`), or a new one (`If-None-Match: *`)."""
    queries.parse(request, queries.NoQuery)
    target = headers.written(request)
    creates = preconditions.creates(request)
    wanted = None if creates else preconditions.required(request)
    about = headers.about(request)
    given = await _given(request)
    if wanted is None:
        return await _write(request, writes.create(target, about, given, check=require_none))
    return await _write(request, writes.replace(target, about, wanted, given))


async def patch_entity(request: web.Request) -> Answer:
    """A change of the present document, as JSON Merge Patch (RFC 7396) or JSON Patch (RFC 6902)."""
    queries.parse(request, queries.NoQuery)
    target = headers.written(request)
    wanted = preconditions.required(request)
    about = headers.about(request)
    limit_bytes = document_limit(request.app[bodies.SETTINGS].max_event_bytes)
    kind = bodies.content_type(request)
    if kind not in {MERGE_PATCH, JSON_PATCH}:
        message = f"Content-Type must be {MERGE_PATCH} or {JSON_PATCH}, not {kind or 'missing'}"
        raise UnsupportedMediaType(message, field="Content-Type")
    text = await headers.patch(request, kind)
    if kind == MERGE_PATCH:
        # Any other JSON value as a merge patch would replace the document by something that is none.
        merge = parse_object(text, "The merge patch")
        return await _write(request, writes.merge(target, about, wanted, merge, limit_bytes))
    operations = patches.operations(parse(text, "The JSON Patch", MAX_DEPTH + patches.AROUND_VALUES))
    return await _write(request, writes.patch(target, about, wanted, operations, limit_bytes))


async def delete_entity(request: web.Request) -> Answer:
    """The end of an entity; its history stays, and it can be restored."""
    queries.parse(request, queries.NoQuery)
    target = headers.written(request)
    wanted = preconditions.required(request)
    return await _write(request, writes.delete(target, headers.about(request), wanted))


async def restore_entity(request: web.Request) -> Answer:
    """Back to the document of an earlier version, or undo a deletion: by a new event, never by a rewrite."""
    query = queries.parse(request, RestoreQuery)
    target = headers.written(request)
    wanted = preconditions.required(request)
    about = headers.about(request)
    text = None
    if query.version is not None:
        state = await at_version(request.app[ENTITIES].reader, target, query.version)
        if not state.alive:
            raise InvalidRequest(f"{target} has no document at version {query.version}", field="version")
        text = state.body()
    return await _write(request, writes.restore(target, about, wanted, text))


async def _given(request: web.Request) -> writes.Given:
    text = await headers.document(request, JSON)
    return writes.Given(text, parse_object(text))


async def _write(request: web.Request, write: writes.Write) -> Answer:
    written = await request.app[ENTITIES].write(write)
    created = written.event is not None and written.event.action == CREATED
    sent = {"Eskit-Position": str(written.position)}
    if request.method == "DELETE":
        return Answer(status=204, headers=sent)
    sent |= {"ETag": etag(written.version)}
    if created:
        sent["Location"] = f"/v1/entities/{segment(write.target.entity_type)}/{segment(write.target.id)}"
    status = 201 if created else 200
    if headers.wants_document(request):
        return _document(written, status, sent)
    answer = entities.Written(write.target.id, written.version, written.position)
    return bodies.json_response(answer, status=status, headers=sent)


def _document(written: Written, status: int, sent: dict[str, str]) -> Answer:
    state = written.after()
    sent |= of_state(state) | {"Preference-Applied": "return=representation"}
    return Answer(state.body(), status=status, headers=sent, content_type=JSON)
