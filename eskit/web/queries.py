"""Query parameters: typed, bounded, unknown ones refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TypeVar

import msgspec
from aiohttp import web

from eskit.errors import InvalidRequest
from eskit.web.bodies import invalid

MAX_POSITION = 2**63 - 1

T = TypeVar("T", bound=msgspec.Struct)
# What is lenient about text must not be about numbers: `1e3`, `1.0` and a bare number for a time are no one's intent.
# PostgreSQL's text has no NUL, and escapes that are no UTF-8 arrive as halves of surrogate pairs.
_UNREADABLE = re.compile("[\x00\ud800-\udfff]")
_ODD = re.compile(r"null|-?\d+\.0*|-?[\d.]+[eE][-+]?\d+")
_DECIMAL = re.compile(r"-?\d+\.\d+")


class NoQuery(msgspec.Struct):
    """No parameters."""


def parse(request: web.Request, kind: type[T], beside: str = "") -> T:
    """The query as a struct of ours, whose fields say what is allowed; raises InvalidRequest naming the parameter.

    A parameter that is empty counts as an error and not as left out. Parameters whose names begin with `beside`, if
    that is given, are the caller's to look at.
    """
    allow(request, *kind.__struct_encode_fields__, beside=beside)
    kinds = _kinds(kind)
    for name, text in request.query.items():
        if _UNREADABLE.search(text):
            raise InvalidRequest(f"{name[:100]} must be UTF-8, without the character NUL", field=name[:100])
        if name not in kinds:
            continue
        odd = _ODD.fullmatch(text) if "str" not in kinds[name] else None
        if "float" in kinds[name] and _DECIMAL.fullmatch(text):
            odd = None
        if odd or ("datetime" in kinds[name] and "T" not in text.upper()):
            wanted = "a time like 2026-01-31T12:00:00Z" if "datetime" in kinds[name] else "something plainer"
            raise InvalidRequest(f"{name} must be {wanted}, not {text[:100]!r}", field=name)
    try:
        return msgspec.convert({n: text for n, text in request.query.items() if n in kinds}, kind, strict=False)
    except msgspec.ValidationError as error:
        raise invalid(error) from None


@cache
def _kinds(kind: type[msgspec.Struct]) -> dict[str, frozenset[str]]:
    """The types that each parameter may have, by their names."""
    info = msgspec.inspect.type_info(kind)
    assert isinstance(info, msgspec.inspect.StructType)  # noqa: S101 - narrows the type; it is a struct of ours
    return {field.encode_name: frozenset(_names(field.type)) for field in info.fields}


def _names(kind: msgspec.inspect.Type) -> Iterator[str]:
    if isinstance(kind, msgspec.inspect.Metadata):
        yield from _names(kind.type)
    elif isinstance(kind, msgspec.inspect.UnionType):
        for part in kind.types:
            yield from _names(part)
    else:
        yield _NAMES.get(type(kind), "other")


_NAMES: dict[type[msgspec.inspect.Type], str] = {
    msgspec.inspect.StrType: "str",
    msgspec.inspect.DateTimeType: "datetime",
    msgspec.inspect.FloatType: "float",
}


def allow(request: web.Request, *names: str, beside: str = "") -> None:
    """Refuse parameters that this route does not know: a typo must not silently change what is answered."""
    for name in request.query:
        if name not in names and not (beside and name.startswith(beside)):
            known = ", ".join(names) or "none"
            raise InvalidRequest(f"Unknown query parameter {name[:100]!r}; known here: {known}", field=name[:100])
        if len(request.query.getall(name)) > 1:
            raise InvalidRequest(f"Query parameter {name[:100]} is given twice", field=name[:100])


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
