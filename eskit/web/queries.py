"""Query parameters: typed, bounded, unknown ones refused."""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec
from aiohttp import web

from eskit.errors import InvalidRequest
from eskit.web.bodies import invalid

MAX_POSITION = 2**63 - 1

T = TypeVar("T", bound=msgspec.Struct)
# What is lenient about text must not be about numbers: `1e3`, `1.0` and a bare number for a time are no one's intent.
_ODD_NUMBER = re.compile(r"-?\d+\.0*|-?[\d.]+[eE][-+]?\d+")


def parse(request: web.Request, kind: type[T]) -> T:
    """The query as a struct of ours, whose fields say what is allowed; raises InvalidRequest naming the parameter.

    A parameter that is empty counts as an error and not as left out.
    """
    allow(request, *kind.__struct_encode_fields__)
    for name, text in request.query.items():
        if _ODD_NUMBER.fullmatch(text) or text == "null":
            raise InvalidRequest(f"{name} must not be {text[:100]!r}", field=name)
    try:
        return msgspec.convert(dict(request.query), kind, strict=False)
    except msgspec.ValidationError as error:
        raise invalid(error) from None


def allow(request: web.Request, *names: str) -> None:
    """Refuse parameters that this route does not know: a typo must not silently change what is answered."""
    for name in request.query:
        if name not in names:
            known = ", ".join(names) or "none"
            raise InvalidRequest(f"Unknown query parameter {name[:100]!r}; known here: {known}", field=name[:100])
        if len(request.query.getall(name)) > 1:
            raise InvalidRequest(f"Query parameter {name} is given twice", field=name)


def integer(request: web.Request, name: str, default: int, *, least: int, most: int) -> int:
    """A whole number within its limits; raises InvalidRequest."""
    text = request.query.get(name)
    if text is None:
        return default
    # isdecimal and a length first: int() takes spaces, underscores, other scripts' digits, and any length.
    value = int(text) if text.isascii() and text.isdecimal() and len(text) <= 19 else None
    if value is None or not least <= value <= most:
        raise InvalidRequest(f"{name} must be a whole number from {least} to {most}", field=name)
    return value
