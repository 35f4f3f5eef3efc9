"""`POST /v1/events`: store one event, or several atomically."""

from __future__ import annotations

from uuid import UUID

import msgspec
from aiohttp import web

from eskit.errors import EventIdReused, OutcomeUnknown, Overloaded, TooLarge, VersionConflict
from eskit.events import Originator
from eskit.web import bodies
from eskit.web.answers import Answer
from eskit.web.context import CAUSES, given_in_headers, given_request_id
from eskit.web.operations import JSON, Content, Operation
from eventstore_svc.api.append_requests import Cause, EventIn, EventsIn, parse_append
from eventstore_svc.api.resources import STORE
from eventstore_svc.store import Appended


class AppendedEvent(msgspec.Struct):
    """Where one event of an append stands."""

    event_id: UUID
    originator: Originator
    position: int


class AppendAnswer(msgspec.Struct):
    """The answer to `POST /v1/events`, in the order of the request."""

    events: list[AppendedEvent]


async def append(request: web.Request) -> Answer:
    """Store one event, or several atomically."""
    store = request.app[STORE]
    store.require_room()
    body = await bodies.read(request, JSON)
    cause = Cause(given_in_headers(request), given_request_id(request))
    events = parse_append(body, cause, request.app[bodies.SETTINGS])
    return _answer(await store.append(events))


def _answer(appended: Appended) -> Answer:
    return bodies.json_response(AppendAnswer(appended_events(appended)), status=201 if appended.new else 200)


def appended_events(appended: Appended) -> list[AppendedEvent]:
    """Where the events of an append stand."""
    return [AppendedEvent(e.event_id, Originator(e.originator_id, e.version), e.position) for e in appended.events]


EXAMPLE = {"originator": {"id": "order-7"}, "event_type": "Order.Placed", "payload": {"total": 40}}
METADATA_HEADERS = {cause.header: f"Metadata `{cause.key}` of the events." for cause in CAUSES}

OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/events",
        handler=append,
        headers=METADATA_HEADERS,
        body=Content(
            "One event, or several that are stored together or not at all.",
            {JSON: (EventIn, EventsIn)},
            example=EXAMPLE,
        ),
        answers={
            201: Content("Stored.", {JSON: AppendAnswer}),
            200: Content("Stored before: the first answer again.", {JSON: AppendAnswer}),
        },
        errors=(VersionConflict, EventIdReused, TooLarge, OutcomeUnknown, Overloaded),
    ),
)
