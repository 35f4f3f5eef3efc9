"""`GET /v1/entities/{entity_type}`: lists and searches."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from aiohttp import web
from msgspec import UNSET, Meta, UnsetType

from crud_svc.api.list_resources import CURSOR_KEY, LISTS, SEARCH
from crud_svc.api.resources import STORE, TYPE_PATH
from crud_svc.documents.exact_json import encode, parse_object
from crud_svc.view import cursors
from crud_svc.view.fields import Field, SortKey, field, listed, sort_key
from crud_svc.view.filters import PREFIX, conditions
from crud_svc.view.keys import MISSING
from crud_svc.view.listing import Entity, Listing, Page
from crud_svc.view.past import past
from eskit import names, times
from eskit.entities import ListAnswer, ListedEntity
from eskit.errors import IndexNeeded, InvalidRequest
from eskit.web import bodies, queries
from eskit.web.answers import Answer
from eskit.web.operations import JSON, Content, Operation

MAX_PAGE = 1000
MAX_SORT = 4
MAX_FIELDS = 50

VIEW_POSITION, VIEW_STALE = "Eskit-View-Position", "Eskit-View-Stale"


class ListQuery(msgspec.Struct, kw_only=True):
    """Which entities. Beside these: `filter.<field>=value`, `filter.<field>.<gt|gte|lt|lte|in|prefix|exists>=value`."""

    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE, description="Most entities of a page.")] = 10
    cursor: Annotated[str, Meta(max_length=cursors.MAX_CHARS, description="The `next` of the page before.")] | None = (
        None
    )
    sort: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=1000,
                description=f"Up to {MAX_SORT} fields with commas between, `-` before one: the greatest first.",
            ),
        ]
        | None
    ) = None
    fields: (
        Annotated[
            str,
            Meta(min_length=1, max_length=4000, description="Only these fields of documents, with commas between."),
        ]
        | None
    ) = None
    skip_payload: Annotated[bool, Meta(description="Without documents: ids and versions.")] = False
    deleted: Annotated[bool, Meta(description="Deleted entities, too, with their last document.")] = False
    count: Annotated[Literal["estimate", "exact"], Meta(description="How many there are, on all pages.")] | None = None
    position: (
        Annotated[int, Meta(ge=1, le=queries.MAX_POSITION, description="As it was when the log ended here.")] | None
    ) = None
    wait: (
        Annotated[
            float, Meta(ge=0, le=60, description="Most seconds to wait for what was written (ESKIT_VIEW_WAIT_S).")
        ]
        | None
    ) = None


async def list_entities(request: web.Request) -> Answer:
    """Entities of a type that meet all filters, page by page.

    A list has what was written before it was asked for; where that is not in the entity view in time, the answer says
    so: `Eskit-View-Stale: true`. A field is a dotted name or a JSON pointer. A filter's value is a number, `true`,
    `false`, `null` or a `"string"` where it reads as such a JSON literal, else a string.
    """
    query = queries.parse(request, ListQuery, PREFIX)
    listing = _listing(request, query)
    chosen = [field(text, "fields") for text in listed(query.fields, "fields", MAX_FIELDS)] if query.fields else None
    key = await request.app[CURSOR_KEY].get()
    place = cursors.unseal(key, listing.digest(), query.cursor) if query.cursor is not None else None
    headers: dict[str, str] = {}
    total: int | UnsetType = UNSET
    with_body = not query.skip_payload
    if listing.position is None:
        search = request.app[SEARCH]
        wait_s = request.app[bodies.SETTINGS].view_wait_s if query.wait is None else query.wait
        found = await search.page(listing, place, query.limit, with_body=with_body, wait_s=wait_s)
        page = found.page
        headers[VIEW_POSITION] = str(found.position)
        if found.stale:
            headers[VIEW_STALE] = "true"
        if query.count is not None:
            total = await search.count(listing, exact=query.count == "exact")
    else:
        page = await _past(request.app, query, listing, place)
    following = None if page.next is None else cursors.seal(key, listing.digest(), page.next)
    answer = ListAnswer([_listed(one, chosen) for one in page.entities], following, total)
    request.app[LISTS].inc()
    return bodies.json_response(answer, headers=headers)


async def _past(app: web.Application, query: ListQuery, listing: Listing, place: cursors.Place | None) -> Page:
    if query.count is not None:
        raise InvalidRequest("count and position exclude one another", field="count")
    head = (await app[STORE].head()).position
    if (listing.position or 0) > head:
        raise InvalidRequest(f"position is {listing.position}, the log ends at {head}", field="position")
    return await past(app[STORE], listing, place, query.limit, with_body=not query.skip_payload)


def _listing(request: web.Request, query: ListQuery) -> Listing:
    sort: tuple[SortKey, ...] = ()
    if query.sort is not None:
        sort = tuple(sort_key(text, "sort") for text in listed(query.sort, "sort", MAX_SORT))
        if len({key.field for key in sort}) < len(sort):
            raise InvalidRequest("sort has a field twice", field="sort")
    return Listing(
        names.entity_type(request.match_info["entity_type"], "type"),
        conditions(request.query.items()),
        sort,
        query.deleted,
        query.position,
    )


def _listed(entity: Entity, chosen: list[Field] | None) -> ListedEntity:
    document: msgspec.Raw | UnsetType = UNSET
    if entity.body is not None:
        body = entity.body.encode()
        document = msgspec.Raw(body if chosen is None else encode(projected(parse_object(body), chosen)))
    return ListedEntity(
        entity.id,
        entity.version,
        entity.position,
        times.rfc3339(entity.created_us),
        times.rfc3339(entity.modified_us),
        bool(entity.deleted_at),
        document,
    )


def projected(document: dict[str, Any], chosen: list[Field]) -> dict[str, Any]:
    """The document with these fields only; of arrays, all or nothing."""
    result: dict[str, Any] = {}
    for one in chosen:
        if (value := _member(document, one.steps)) is MISSING:
            continue
        into = result
        for step in one.steps[:-1]:
            # A copy: what is chosen whole elsewhere is the document's own.
            into[step] = dict(into.get(step, {}))
            into = into[step]
        into[one.steps[-1]] = value
    return result


def _member(document: Any, steps: tuple[str, ...]) -> Any:
    value = document
    for step in steps:
        if not isinstance(value, dict) or step not in value:
            return MISSING
        value = value[step]
    return value


OPERATIONS = (
    Operation(
        method="GET",
        path=TYPE_PATH,
        handler=list_entities,
        query=ListQuery,
        answers={
            200: Content(
                "A page.",
                {JSON: ListAnswer},
                headers={
                    VIEW_POSITION: "Everything up to this position is in the list. Not on a list as of a position.",
                    VIEW_STALE: "`true`: the list lacks some of what had been written before it was asked for.",
                },
            )
        },
        errors=(IndexNeeded,),
    ),
)
