"""What comes with a request beside its body: the ids that link events to their causes."""

from __future__ import annotations

import re
from typing import NamedTuple
from uuid import UUID

from aiohttp import web

from eskit.errors import InvalidRequest
from eskit.ids import token
from eskit.web.bodies import SETTINGS

REQUEST_ID: web.RequestKey[str] = web.RequestKey("eskit_request_id", str)

WAITS: web.RequestKey[bool] = web.RequestKey("eskit_waits", bool)
"""Set on requests that last long on purpose, so that nobody takes them for slow ones."""

_REQUEST_ID = re.compile(r"[\x20-\x7e]{1,256}")
_PRINTABLE = re.compile(r"[\x20-\x7e]+")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


def given_request_id(request: web.Request) -> str | None:
    """The client's `X-Request-Id` where it is a short printable text."""
    given = request.headers.get("X-Request-Id")
    return given if given and _REQUEST_ID.fullmatch(given) else None


def request_id(request: web.Request) -> str:
    """The client's, else one that is made up when somebody asks for it: most requests need none."""
    ident = request.get(REQUEST_ID)
    if ident is None:
        ident = request[REQUEST_ID] = given_request_id(request) or token()
    return ident


class Cause(NamedTuple):
    """A metadata key of every event, and the header it comes from."""

    key: str
    header: str


CAUSES = (
    Cause("correlation_id", "Eskit-Correlation-Id"),
    Cause("causation_id", "Eskit-Causation-Id"),
    Cause("user", "Eskit-User"),
)


def given_in_headers(request: web.Request) -> dict[str, str]:
    """correlation_id, causation_id, user, traceparent, as far as the headers have them; raises InvalidRequest."""
    found: dict[str, str] = {}
    for key, header in CAUSES:
        value = request.headers.get(header)
        if value is not None:
            found[key] = _checked(header, value, request.app[SETTINGS].max_metadata_header)
    trace = request.headers.get("traceparent")
    # The specification says to ignore a traceparent that is malformed, not to refuse the request.
    if trace and is_traceparent(trace):
        found["traceparent"] = trace
    return found


def _checked(header: str, value: str, limit: int) -> str:
    if not _PRINTABLE.fullmatch(value):
        raise InvalidRequest(f"{header} must have printable ASCII characters, and nothing else", field=header)
    if len(value) > limit:
        message = f"{header} must have {limit} characters at most (ESKIT_MAX_METADATA_HEADER)"
        raise InvalidRequest(message, field=header, limit=limit)
    return value


def correlation_id(request: web.Request, event_id: UUID) -> str:
    """Of an event that names none: the client's request id, else the event's own id, as of one that has no cause.

    `event_id` is that of the first event of what is stored together.
    """
    return given_request_id(request) or str(event_id)


def is_traceparent(text: str) -> bool:
    """Whether it has the form that W3C Trace Context gives it."""
    return _TRACEPARENT.fullmatch(text) is not None
