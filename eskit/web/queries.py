"""Query parameters: typed, bounded, unknown ones refused."""

from __future__ import annotations

from aiohttp import web

from eskit.errors import InvalidRequest

MAX_POSITION = 2**63 - 1


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
