"""Pages as they are answered: events, where to go on, and a link to the next page."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from aiohttp import web
from msgspec import Meta

from eskit.events import WireEvent
from eskit.web.answers import Answer
from eskit.web.operations import JSON

MAX_PAGE = 1000

Limit = Annotated[int, Meta(ge=1, le=MAX_PAGE, description="Most events of the page; it also ends after 8 MiB.")]


class EventsPage(msgspec.Struct):
    """A page of events; `next` is what the parameter named for it goes on with, null at the end."""

    events: list[WireEvent]
    next: int | None


def events_page(
    request: web.Request, events: str, following: int | None, parameter: str, tag: dict[str, str] | None = None
) -> Answer:
    """The answer with a page. `parameter` takes `following` in the request for the next page, which is also linked."""
    body = f'{{"events":[{events}],"next":{"null" if following is None else following}}}'
    headers = dict(tag or {})
    if following is not None:
        headers["Link"] = next_link(request, **{parameter: following})
    return Answer(body.encode(), content_type=JSON, headers=headers)


def next_link(request: web.Request, **changed: Any) -> str:
    """The Link header (RFC 8288) to this request with other parameters."""
    return f'<{request.rel_url.update_query(changed)}>; rel="next"'
