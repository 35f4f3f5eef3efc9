"""The CRUD service over REST: the routes and what they need."""

from __future__ import annotations

from collections.abc import AsyncIterator
from email.utils import formatdate

import msgspec
from aiohttp import web

from crud_svc import patches, preconditions, requests, writes
from crud_svc.entities import Entities, Written
from crud_svc.exact_json import parse, parse_object
from crud_svc.history import history
from crud_svc.requests import Target
from crud_svc.state import CREATED, State
from eskit.client.http import segment
from eskit.errors import NotFound, UnsupportedMediaType
from eskit.settings import Settings
from eskit.web import bodies, queries
from eskit.web.answers import Answer
from eskit.web.app import create_app
from eskit.web.etags import IF_MATCH, IF_NONE_MATCH, etag, tags
from eventstore_svc.store import LAST_VERSION, EventStore, open_event_store

STORE: web.AppKey[EventStore] = web.AppKey("crud_event_store", EventStore)
ENTITIES: web.AppKey[Entities] = web.AppKey("entities", Entities)

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"

MAX_PAGE = 1000


class WriteAnswer(msgspec.Struct):
    """The answer to a write: the entity's id, its version, and the position of its last event in the log."""

    id: str
    version: int
    position: int


async def create(request: web.Request) -> Answer:
    """A new entity with an id made up here: the event's id, so that a retry with the same Idempotency-Key finds it."""
    queries.allow(request)
    preconditions.refuse(request, IF_MATCH, IF_NONE_MATCH)
    about = requests.about(request)
    target = Target(requests.written_type(request), str(about.event_id))
    text = await requests.document(request, JSON)
    parse_object(text)
    return await _write(request, writes.create(target, about, text, check=lambda _: None))


async def put(request: web.Request) -> Answer:
    """A whole document: in place of the present one (If-Match), or a new one (If-None-Match: *)."""
    queries.allow(request)
    target = requests.written(request)
    creates = preconditions.creates(request)
    wanted = None if creates else preconditions.required(request)
    about = requests.about(request)
    text = await requests.document(request, JSON)
    document = parse_object(text)
    if wanted is None:
        return await _write(request, writes.create(target, about, text, check=preconditions.require_none))
    return await _write(request, writes.replace(target, about, wanted, document))


async def patch(request: web.Request) -> Answer:
    """A change of the present document, as JSON Merge Patch or JSON Patch."""
    queries.allow(request)
    target = requests.written(request)
    wanted = preconditions.required(request)
    about = requests.about(request)
    limit_bytes = requests.document_limit(request.app[bodies.SETTINGS].max_event_bytes)
    kind = bodies.content_type(request)
    if kind not in {MERGE_PATCH, JSON_PATCH}:
        message = f"Content-Type must be {MERGE_PATCH} or {JSON_PATCH}, not {kind or 'missing'}"
        raise UnsupportedMediaType(message, field="Content-Type")
    text = await requests.patch(request, kind)
    if kind == MERGE_PATCH:
        # Any other JSON value as a merge patch would replace the document by something that is none.
        merge = parse_object(text, "The merge patch")
        return await _write(request, writes.merge(target, about, wanted, merge, limit_bytes))
    operations = patches.operations(parse(text, "The JSON Patch"))
    return await _write(request, writes.patch(target, about, wanted, operations, limit_bytes))


async def delete(request: web.Request) -> Answer:
    """The end of an entity; its history stays, and it can be created anew."""
    queries.allow(request)
    target = requests.written(request)
    wanted = preconditions.required(request)
    return await _write(request, writes.delete(target, requests.about(request), wanted))


async def get(request: web.Request) -> Answer:
    """The document, as it is or as it was at a version."""
    queries.allow(request, "version")
    target = requests.target(request)
    version = queries.integer(request, "version", LAST_VERSION, least=1, most=LAST_VERSION)
    wanted, known = tags(request, IF_MATCH), tags(request, IF_NONE_MATCH)
    state = await request.app[ENTITIES].read(target, version)
    if "version" in request.query and 0 < state.version < version:
        raise NotFound(f"{target} has no version {version}: it is at {state.version}", version=state.version)
    state.require(str(target))
    if wanted is not None:
        preconditions.require(wanted, state)
    headers = _headers(state) | {"Eskit-Position": str(state.position), "Cache-Control": "no-cache"}
    if known is not None and known.name(state.version):
        return Answer(status=304, headers=headers)
    return Answer(state.body(), headers=headers, content_type=JSON)


async def get_history(request: web.Request) -> Answer:
    """The events of an entity, with the fields each one changed."""
    queries.allow(request, "from_version", "limit")
    target = requests.target(request)
    first = queries.integer(request, "from_version", 1, least=1, most=LAST_VERSION)
    limit = queries.integer(request, "limit", 100, least=1, most=MAX_PAGE)
    return bodies.json_response(await history(request.app[ENTITIES], target, first, limit))


async def _write(request: web.Request, write: writes.Write) -> Answer:
    written = await request.app[ENTITIES].write(write)
    created = written.event is not None and written.event.action == CREATED
    headers = {"Eskit-Position": str(written.position)}
    if request.method == "DELETE":
        return Answer(status=204, headers=headers)
    headers |= {"ETag": etag(written.version)}
    if created:
        headers["Location"] = f"/v1/entities/{segment(write.target.entity_type)}/{segment(write.target.id)}"
    status = 201 if created else 200
    if requests.wants_document(request):
        return _document(written, status, headers)
    answer = WriteAnswer(write.target.id, written.version, written.position)
    return bodies.json_response(answer, status=status, headers=headers)


def _document(written: Written, status: int, headers: dict[str, str]) -> Answer:
    state = written.after()
    headers |= _headers(state) | {"Preference-Applied": "return=representation"}
    return Answer(state.body(), status=status, headers=headers, content_type=JSON)


def _headers(state: State) -> dict[str, str]:
    headers = {"ETag": etag(state.version)}
    if state.modified_us:
        headers["Last-Modified"] = formatdate(state.modified_us // 1_000_000, usegmt=True)
    return headers


async def _entities(app: web.Application) -> AsyncIterator[None]:
    settings = app[bodies.SETTINGS]
    async with open_event_store(settings, "eskit crud") as store:
        app[STORE] = store
        app[ENTITIES] = Entities(store, settings.max_event_bytes)
        yield


def crud_app(settings: Settings) -> web.Application:
    """The CRUD service."""
    # aiohttp's own pattern leaves out braces, which an id may have.
    one = "/v1/entities/{type}/{id:[^/]+}"
    return create_app(
        "crud",
        settings,
        routes=[
            web.post("/v1/entities/{type}", create),
            web.put(one, put),
            web.patch(one, patch),
            web.delete(one, delete),
            web.get(one, get),
            web.get(f"{one}/history", get_history),
        ],
        resources=[_entities],
        checks={"database": lambda app: app[STORE].check()},
    )
