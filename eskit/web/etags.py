"""Entity tags and the headers that name them: If-Match and If-None-Match (RFC 9110)."""

from __future__ import annotations

import re
from typing import NamedTuple

from aiohttp import web

from eskit.errors import InvalidRequest

IF_MATCH, IF_NONE_MATCH = "If-Match", "If-None-Match"

_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\uffff]*)"')
_LIST = re.compile(rf"{_TAG.pattern}([ \t]*,[ \t]*{_TAG.pattern})*")


class Tags(NamedTuple):
    """The entity tags of one header; None stands for `*`."""

    versions: frozenset[str] | None

    def name(self, version: int | str) -> bool:
        """Whether this version is one of them."""
        return self.versions is None or str(version) in self.versions


def etag(version: int | str) -> str:
    """The entity tag of a version, of whatever has one."""
    return f'"{version}"'


def tags(request: web.Request, header: str) -> Tags | None:
    """The tags of a header; None without it. Raises InvalidRequest for another form, and for weak tags in If-Match."""
    text = ", ".join(request.headers.getall(header, [])).strip()
    if header not in request.headers:
        return None
    if text == "*":
        return Tags(None)
    if not _LIST.fullmatch(text):
        raise InvalidRequest(f'{header} must be `*` or entity tags like "3", in double quotes', field=header)
    found = _TAG.findall(text)
    if header == IF_MATCH and any(weak for weak, _ in found):
        raise InvalidRequest("If-Match takes no weak entity tags (W/); send the ETag as it was answered", field=header)
    return Tags(frozenset(version for _, version in found))


def unchanged(request: web.Request, version: int | str) -> bool:
    """Whether a read may be answered 304: the client has this version already. Raises InvalidRequest."""
    known = tags(request, IF_NONE_MATCH)
    return known is not None and known.name(version)
