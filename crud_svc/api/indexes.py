"""`/v1/types/{entity_type}/indexes`: by which fields of a type lists may filter and sort, however many entities it has.

A declaration is an event, so it outlives the view, and every view that is built anew has it.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from aiohttp import web

from crud_svc.api.list_resources import SEARCH
from crud_svc.api.resources import STORE
from crud_svc.view.indexes import (
    DECLARATIONS,
    DECLARED,
    DROPPED,
    MAX_INDEXES,
    Declaration,
    Index,
    change,
    declared,
    index_of,
)
from eskit import names
from eskit.errors import Conflict, InvalidRequest, NotFound, Unavailable, VersionConflict
from eskit.events import Stored
from eskit.ids import uuid7
from eskit.names import EventType
from eskit.types import IndexAnswer, IndexesAnswer, IndexState
from eskit.web import bodies, queries
from eskit.web.answers import Answer
from eskit.web.operations import JSON, Content, Operation
from eventstore_svc.store import EventStore, NewEvent

TRIES = 10
PAGE_EVENTS = 1000
PATH = "/v1/types/{entity_type}/indexes"

_decoder = msgspec.json.Decoder(Declaration)


async def declare_index(request: web.Request) -> Answer:
    """Have an index built on up to four fields. The entity view builds it beside its work; ask for the list meanwhile.

    It serves lists that filter its first fields by one value each, and filter by or sort by what follows.
    """
    queries.parse(request, queries.NoQuery)
    kind = _type(request)
    wanted = index_of(bodies.decode(await bodies.read(request, JSON), _decoder).fields)
    if len({key.field for key in wanted.fields}) < len(wanted.fields):
        raise InvalidRequest("fields has a field twice", field="fields")
    if change(DECLARED, msgspec.json.encode(Declaration(wanted.texts))) is None:
        raise InvalidRequest("fields: a field is too long as a JSON pointer", field="fields")
    created = await _change(request.app[STORE], kind, DECLARED, wanted)
    return bodies.json_response(IndexAnswer(wanted.name, wanted.texts, "waiting"), status=201 if created else 200)


async def list_indexes(request: web.Request) -> Answer:
    """The declared indexes of a type, and which of them can be used already."""
    queries.parse(request, queries.NoQuery)
    kind = _type(request)
    found, _ = await _declared(request.app[STORE], kind)
    try:
        ready = set((await request.app[SEARCH].indexes(kind)).ready)
    except Unavailable:
        return _answer(found, lambda _: "unknown")
    return _answer(found, lambda index: "ready" if index in ready else "waiting")


async def drop_index(request: web.Request) -> Answer:
    """Do without an index; lists that need it are refused then."""
    queries.parse(request, queries.NoQuery)
    kind, name = _type(request), request.match_info["index"]
    found, _ = await _declared(request.app[STORE], kind)
    if name not in found:
        raise NotFound(f"{kind} has no index {name[:100]!r}", field="index")
    await _change(request.app[STORE], kind, DROPPED, found[name])
    return Answer(status=204)


def _answer(found: dict[str, Index], state: Callable[[Index], IndexState]) -> Answer:
    indexes = [IndexAnswer(name, index.texts, state(index)) for name, index in found.items()]
    return bodies.json_response(IndexesAnswer(indexes))


def _type(request: web.Request) -> str:
    return names.entity_type(request.match_info["entity_type"], "type")


async def _change(store: EventStore, kind: str, action: str, index: Index) -> bool:
    """Append the event; False where it is so already. Raises Conflict when there are too many."""
    for _ in range(TRIES):
        found, version = await _declared(store, kind)
        if (index.name in found) == (action == DECLARED):
            return False
        if action == DECLARED and len(found) >= MAX_INDEXES:
            raise Conflict(f"{kind} has {MAX_INDEXES} indexes; delete one first", field="fields", limit=MAX_INDEXES)
        event = NewEvent(
            event_id=uuid7(),
            id_is_given=False,
            type=EventType(DECLARATIONS, action),
            originator_id=kind,
            payload=msgspec.json.encode(Declaration(index.texts)),
            metadata=b"{}",
            wanted=version + 1,
        )
        try:
            await store.append([event])
        except VersionConflict:
            continue
        return True
    raise Conflict(f"Others change the indexes of {kind}, faster than this; try again")


async def _declared(store: EventStore, kind: str) -> tuple[dict[str, Index], int]:
    """The declared indexes by name, and the version of their stream."""
    events: list[Stored] = []
    more = True
    while more:
        try:
            page, more = await store.stream(DECLARATIONS, kind, from_version=len(events) + 1, limit=PAGE_EVENTS)
        except NotFound:
            break
        events += page
    return declared(events), len(events)


OPERATIONS = (
    Operation(
        method="POST",
        path=PATH,
        handler=declare_index,
        query=queries.NoQuery,
        body=Content("On which fields.", {JSON: Declaration}, example={"fields": ["city", "-age"]}),
        answers={
            200: Content("It is declared already.", {JSON: IndexAnswer}),
            201: Content("It is declared.", {JSON: IndexAnswer}),
        },
        errors=(Conflict,),
    ),
    Operation(
        method="GET",
        path=PATH,
        handler=list_indexes,
        query=queries.NoQuery,
        answers={200: Content("All of them.", {JSON: IndexesAnswer})},
    ),
    Operation(
        method="DELETE",
        path=f"{PATH}/{{index}}",
        handler=drop_index,
        query=queries.NoQuery,
        answers={204: Content("It is not wanted any more.")},
        errors=(NotFound, Conflict),
    ),
)
