"""`/v1/events/{event_id}`: one event by its id."""

from __future__ import annotations

from uuid import UUID

from aiohttp import web

from eskit.errors import InvalidRequest, NotFound
from eskit.events import WireEvent
from eskit.web import queries
from eskit.web.answers import Answer
from eskit.web.etags import etag, unchanged
from eskit.web.operations import JSON, Content, Operation
from eventstore_svc.api.resources import STORE
from eventstore_svc.api.streams import ETAGS, NOT_CHANGED


async def read_event(request: web.Request) -> Answer:
    """One event by its id, as it stands in the log for good."""
    queries.parse(request, queries.NoQuery)
    event_id = _event_id(request.match_info["event_id"])
    event = await request.app[STORE].pages.event(event_id)
    headers = {"ETag": etag(str(event_id))}
    if unchanged(request, str(event_id)):
        return Answer(status=304, headers=headers)
    return Answer(event, content_type=JSON, headers=headers)


def _event_id(text: str) -> UUID:
    try:
        return UUID(text) if len(text) == 36 else UUID("")
    except ValueError:
        raise InvalidRequest("event_id must be a UUID with its hyphens", field="event_id") from None


OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/events/{event_id:[^/]+}",
        handler=read_event,
        query=queries.NoQuery,
        headers=ETAGS,
        answers={200: Content("The event.", {JSON: WireEvent}, {"ETag": "The event's id."}), 304: NOT_CHANGED},
        errors=(NotFound,),
    ),
)
