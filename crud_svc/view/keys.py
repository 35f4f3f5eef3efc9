"""Values as lists see them: where a field is in a document, what is searched, in which order values stand. Pure.

The order of values, as `sort_key` of the view's schema has it, too: no value, null, false, true, numbers (as 64-bit
floats), strings (by code points of their first characters), arrays, objects.
"""

from __future__ import annotations

import math
import re
import struct
import sys
from typing import Any

from crud_svc.documents.exact_json import Number, encode, parse

KEY_CHARS = 100
"""Of a string, in its key: an index's entry with four of them must fit into a third of a page, whatever they hold."""

# First characters of keys, and bounds of what begins with them.
ABSENT, NULL, FALSE, TRUE, NUMBERS, STRINGS, ARRAYS, OBJECTS = "01234567"

Scalar = str | int | bool | Number | None


class Missing:
    """In place of the value of a field that a document does not have."""


MISSING = Missing()

_MIRRORED = str.maketrans("0123456789abcdef", "fedcba9876543210")
# What jsonb does not take, or a 64-bit float: a NUL, a number next to zero, however that is written, a zero with an
# exponent that PostgreSQL's numbers do not have. Most documents have none.
_UNUSUAL = re.compile(r"\\u0000|[eE][-+]?\d{3}|\.0{200}")
_INDEX = re.compile(r"-?\d{1,9}")


def searchable(body: str) -> str:
    """The text of a document that jsonb takes: NUL is U+FFFD in it, and a number that is 0 as a float is 0."""
    if not _UNUSUAL.search(body):
        return body
    return encode(plain(parse(body.encode()))).decode()


def plain(value: Any) -> Any:
    """The same for a value."""
    if isinstance(value, dict):
        return {plain(key): plain(child) for key, child in value.items()}
    if isinstance(value, list):
        return [plain(child) for child in value]
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, Number) and float(value.text) == 0:
        return 0
    return value


def at(document: Any, steps: tuple[str, ...]) -> Any:
    """The value at a path, as PostgreSQL's `#>` finds it; MISSING where there is none."""
    value = document
    for step in steps:
        if isinstance(value, dict):
            value = value.get(step, MISSING)
        elif isinstance(value, list) and _INDEX.fullmatch(step) and -len(value) <= int(step) < len(value):
            value = value[int(step)]
        else:
            return MISSING
    return value


def sort_key(value: Any) -> str:  # noqa: PLR0911 - one for each type
    """A text that stands, by its code points, where the value stands among all others."""
    match value:
        case Missing():
            return ABSENT
        case None:
            return NULL
        case bool():
            return TRUE if value else FALSE
        case str():
            return STRINGS + value[:KEY_CHARS]
        case int():
            return _number(_float(value))
        case Number():
            return _number(float(value.text))
        case list():
            return ARRAYS
    return OBJECTS


def _float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.copysign(sys.float_info.max, value > 0 or -1)


def _number(value: float) -> str:
    # The bits of a float stand in the order of the numbers, but for the negative ones, which stand in the other.
    bits = struct.pack(">d", value or 0.0).hex()
    return f"{NUMBERS}1{bits}" if value >= 0 else f"{NUMBERS}0{bits.translate(_MIRRORED)}"


def after_all(prefix: str) -> str:
    """The least text behind everything that begins with a key's beginning."""
    least = prefix.rstrip("\U0010ffff")
    following = ord(least[-1]) + 1
    # Halves of surrogate pairs are no characters.
    return least[:-1] + chr(0xE000 if 0xD800 <= following < 0xE000 else following)
