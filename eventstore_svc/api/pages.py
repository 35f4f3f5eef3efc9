"""Pages as they are answered: events, where to go on, and a link to the next page."""

from __future__ import annotations

from collections.abc import Sequence
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
    """A page of events; `next` is what the parameter named for it goes on with.

    It is null at the end, but for the log forward: there it is where to ask again later.
    """

    events: list[WireEvent]
    next: int | None


def events_page(
    request: web.Request,
    events: Sequence[bytes],
    following: int | None,
    parameter: str,
    *,
    linked: bool,
    tag: dict[str, str] | None = None,
) -> Answer:
    """The answer with a page. `parameter` takes `following` in the request for the next page; `linked` links that."""
    ending = b"null" if following is None else b"%d" % following
    headers = dict(tag or {})
    if linked:
        headers["Link"] = next_link(request, **{parameter: following})
    body = b'{"events":[%b],"next":%b}' % (b",".join(events), ending)
    return Answer(body, content_type=JSON, headers=headers)


def next_link(request: web.Request, **changed: Any) -> str:
    """The Link header (RFC 8288) to this request with other parameters."""
    url = str(request.rel_url.update_query(changed)).replace(">", "%3E")  # some clients send it as it is
    return f'<{url}>; rel="next"'
