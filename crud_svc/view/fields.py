"""Fields as a query names them: `address.city`, or a JSON pointer, `/address/city`. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec

from crud_svc.documents.exact_json import shown, token
from eskit.errors import InvalidRequest

MAX_STEPS = 20
MAX_CHARS = 200

# PostgreSQL's text has no NUL, and escapes in a URL that are no UTF-8 arrive as halves of surrogate pairs.
_UNREADABLE = re.compile("[\x00\ud800-\udfff]")


class Field(NamedTuple):
    """A place in a document."""

    steps: tuple[str, ...]

    @property
    def pointer(self) -> str:
        """As a JSON pointer."""
        return "".join(f"/{token(step)}" for step in self.steps)

    @property
    def array(self) -> str:
        """As PostgreSQL reads text[]: the driver takes longer for a list."""
        quoted = (step.replace("\\", "\\\\").replace('"', '\\"') for step in self.steps)
        return "{" + ",".join(f'"{step}"' for step in quoted) + "}"


class SortKey(NamedTuple):
    """A field to sort by."""

    field: Field
    descending: bool = False

    def __str__(self) -> str:
        return f"-{self.field.pointer}" if self.descending else self.field.pointer


def field(text: str, parameter: str) -> Field:
    """A field by its dotted name or its JSON pointer; raises InvalidRequest that names the parameter."""
    if not text or len(text) > MAX_CHARS:
        raise InvalidRequest(f"{parameter}: a field has 1 to {MAX_CHARS} characters", field=parameter)
    if _UNREADABLE.search(text):
        raise InvalidRequest(f"{parameter}: a field is UTF-8, without the character NUL", field=parameter)
    if not text.startswith("/"):
        steps = text.split(".")
        if "" in steps:
            message = f"{parameter}: {shown(text)} has an empty step; write such a field as a JSON pointer: /a//b"
            raise InvalidRequest(message, field=parameter)
    else:
        steps = [_step(step, text, parameter) for step in text[1:].split("/")]
    if len(steps) > MAX_STEPS:
        raise InvalidRequest(f"{parameter}: a field has {MAX_STEPS} steps at most", field=parameter)
    return Field(tuple(steps))


def _step(escaped: str, text: str, parameter: str) -> str:
    rest = escaped.replace("~1", "").replace("~0", "")
    if "~" in rest:
        raise InvalidRequest(f"{parameter}: {shown(text)} has a ~ that is neither ~0 nor ~1", field=parameter)
    return escaped.replace("~1", "/").replace("~0", "~")


def sort_key(text: str, parameter: str) -> SortKey:
    """A field, with `-` before it where the greatest comes first."""
    return SortKey(field(text.removeprefix("-"), parameter), text.startswith("-"))


def listed(text: str, parameter: str, most: int) -> list[str]:
    """What a parameter lists: with commas between, or as a JSON array of strings; raises InvalidRequest."""
    parts = _array(text, parameter) if text.startswith("[") else text.split(",")
    if not 1 <= len(parts) <= most:
        raise InvalidRequest(f"{parameter} must have 1 to {most} parts, not {len(parts)}", field=parameter)
    return parts


def _array(text: str, parameter: str) -> list[str]:
    try:
        return msgspec.json.decode(text, type=list[str])
    except (msgspec.ValidationError, msgspec.DecodeError, RecursionError):
        raise InvalidRequest(f"{parameter} must be a JSON array of strings", field=parameter) from None
