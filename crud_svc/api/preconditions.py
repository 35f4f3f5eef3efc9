"""The headers of preconditions, If-Match and If-None-Match (RFC 9110): the version of an entity is its entity tag."""

from __future__ import annotations

from aiohttp import web

from eskit.errors import InvalidRequest, PreconditionRequired
from eskit.web.etags import IF_MATCH, IF_NONE_MATCH, Tags, tags


def creates(request: web.Request) -> bool:
    """Whether a PUT is to create: `If-None-Match: *`; raises InvalidRequest for other tags, or both headers."""
    unwanted = tags(request, IF_NONE_MATCH)
    if unwanted is None:
        return False
    if unwanted.versions is not None:
        raise InvalidRequest("If-None-Match of a PUT can only be `*`: create", field=IF_NONE_MATCH)
    if IF_MATCH in request.headers:
        raise InvalidRequest("If-Match and If-None-Match exclude each other", field=IF_NONE_MATCH)
    return True


def required(request: web.Request) -> Tags:
    """The tags of If-Match; raises PreconditionRequired without it."""
    refuse(request, IF_NONE_MATCH)
    wanted = tags(request, IF_MATCH)
    if wanted is None:
        other = ", or If-None-Match: * to create" if request.method == "PUT" else ""
        message = f'{request.method} needs If-Match with the version it is based on, like "3"{other}; `*` means any'
        raise PreconditionRequired(message, field=IF_MATCH)
    return wanted


def refuse(request: web.Request, *headers: str) -> None:
    """Raise InvalidRequest for a precondition that this method would ignore."""
    for header in headers:
        if header in request.headers:
            raise InvalidRequest(f"{request.method} takes no {header} here", field=header)
