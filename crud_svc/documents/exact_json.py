"""JSON that loses nothing: numbers stay as they were written, and what readers could take differently is refused."""

from __future__ import annotations

import json
import re
from collections import Counter
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

import msgspec

from eskit.errors import EskitError, InvalidRequest, MalformedRequest

MAX_DEPTH = 100
MAX_NUMBER = 4300  # digits, or characters where it is no integer: as Python's integers have them


class Number:
    """A number as it was written: `1.0`, `1e0`, `-0`. Equality is by value, as in JSON Patch."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Number):
            return self.text == other.text or self._value() == other._value()
        if isinstance(other, int) and not isinstance(other, bool):
            return self._value() == other
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self._value())

    def __deepcopy__(self, _: Any) -> Number:
        return self  # it never changes

    def __repr__(self) -> str:
        return f"Number({self.text!r})"

    def _value(self) -> Decimal:
        try:
            return Decimal(self.text)
        except InvalidOperation:  # an exponent that only fits a number next to zero
            return Decimal(float(self.text))


_INFINITE = {float("inf"), float("-inf")}


class _Refused(ValueError):
    """Something in the text is refused; where, only the slow way finds out."""


class _Fault:
    """Stands in a parsed value for what is refused."""

    def __init__(self, what: str) -> None:
        self.what = what


def _refuse(what: str) -> NoReturn:
    raise _Refused(what)


def _decoder(fault: Any) -> json.JSONDecoder:
    """The standard library's scanner with our own numbers and objects; `fault` is called for what is refused."""

    def members(pairs: list[tuple[str, Any]]) -> Any:
        found = dict(pairs)
        if len(found) == len(pairs):
            return found
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        return fault(f"has the member {shown(twice)} twice")

    def integer(text: str) -> Any:
        if len(text.lstrip("-")) > MAX_NUMBER:
            return fault(f"is a number of more than {MAX_NUMBER} characters")
        return Number(text) if text == "-0" else int(text)

    def fraction(text: str) -> Any:
        if len(text) > MAX_NUMBER:
            return fault(f"is a number of more than {MAX_NUMBER} characters")
        if float(text) in _INFINITE:
            return fault("is a number too large for a 64-bit float")
        return Number(text)

    def constant(text: str) -> Any:
        return fault(f"is {text}, which JSON does not know")

    return json.JSONDecoder(object_pairs_hook=members, parse_int=integer, parse_float=fraction, parse_constant=constant)


def _float(text: str) -> Number:
    if len(text) > MAX_NUMBER or float(text) in _INFINITE:
        _refuse("")
    return Number(text)


# As an integer; dates and UUIDs have it in front of more digits.
_MINUS_ZERO = re.compile(rb"-0(?![0-9.eE])")
_fast = msgspec.json.Decoder(float_hook=_float).decode
_careful, _telling = _decoder(_refuse), _decoder(_Fault)
# What the fast way may raise, whatever is wrong.
REFUSED = (msgspec.MsgspecError, ValueError, RecursionError, EskitError)


def parse(body: bytes, what: str = "The document", levels: int = MAX_DEPTH) -> Any:
    """A JSON value; numbers are `int` where that keeps their text, else `Number`.

    Raises MalformedRequest for what is not JSON; InvalidRequest, whose field is a JSON pointer, for a member twice,
    NaN, half a surrogate pair, numbers out of range, more than `levels` levels.
    """
    try:
        return parse_stored(body, levels)
    except REFUSED:
        return _parse_slowly(body, what, levels)


def parse_stored(text: bytes, levels: int = MAX_DEPTH) -> Any:
    """The same for what the log has, where nobody is told what is wrong: raises one of REFUSED."""
    # The fast decoder loses the text of one integer, and the first of two like members: then what it has read has
    # fewer quotes than the text, unless some of those are written as escapes.
    if (b"-0" in text and _MINUS_ZERO.search(text)) or b"\\u0022" in text:
        return _parse_slowly(text, "It", levels)
    value = _fast(text)
    if encode(value).count(b'"') != text.count(b'"'):
        return _parse_slowly(text, "It", levels)
    # Each level opens with a bracket: most documents need no second look.
    if text.count(b"[") + text.count(b"{") > levels and depth(value, levels) > levels:
        raise InvalidRequest("nested too deep", field="")
    return value


def _parse_slowly(body: bytes, what: str, levels: int) -> Any:
    try:
        text = body.decode()
        try:
            value = _careful.decode(text)
        except _Refused:
            value = _telling.decode(text)
    except UnicodeDecodeError as error:
        raise MalformedRequest(f"{what} is not UTF-8: byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise MalformedRequest(f"{what} is not JSON: {error}") from None
    except RecursionError:
        raise InvalidRequest(f"{what} is nested too deep", field="") from None
    _inspect(value, what, "", levels)
    return value


def parse_object(body: bytes, what: str = "The document", levels: int = MAX_DEPTH) -> dict[str, Any]:
    """The same for what must be an object."""
    value = parse(body, what, levels)
    if not isinstance(value, dict):
        raise InvalidRequest(f"{what} must be a JSON object", field="")
    return value


def _inspect(value: Any, what: str, at: str, levels: int) -> None:
    """Raise InvalidRequest for the first thing that is refused."""
    if isinstance(value, _Fault):
        raise InvalidRequest(f"{what} at {shown(at)} {value.what}", field=at)
    if isinstance(value, str):
        _require_whole(value, what, at)
    elif isinstance(value, dict | list):
        if levels == 0:
            raise InvalidRequest(f"{what} is nested too deep at {shown(at)}", field=at)
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(key, str):
                _require_whole(key, what, at)
            _inspect(child, what, f"{at}/{token(str(key))}", levels - 1)


def _require_whole(text: str, what: str, at: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidRequest(f"{what} at {shown(at)} has half a surrogate pair", field=at) from None


def depth(value: Any, most: int = MAX_DEPTH) -> int:
    """Levels of objects and arrays: 0 for a string, 1 for `{}`. Stops counting above `most`."""
    levels, layer = 0, [value]
    while layer := [item for item in layer if isinstance(item, dict | list)]:
        levels += 1
        if levels > most:
            break
        layer = [child for item in layer for child in (item.values() if isinstance(item, dict) else item)]
    return levels


def token(key: str) -> str:
    """One step of a JSON pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")


def shown(text: str) -> str:
    """A key or a pointer inside a sentence: quoted, and not without end."""
    return ascii(text if len(text) <= 100 else text[:100] + "…") if text else "its root"


def _number(value: Any) -> msgspec.Raw:
    if isinstance(value, Number):
        return msgspec.Raw(value.text.encode())
    raise TypeError(f"not JSON: {type(value).__name__}")


encode = msgspec.json.Encoder(enc_hook=_number).encode


def identical(one: Any, other: Any) -> bool:
    """Whether two values are the same to the letter of each number; the order of members does not count."""
    if one is other:  # as the untouched parts of a changed document are
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return len(one) == len(other) and all(key in other and identical(v, other[key]) for key, v in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(identical, one, other))
    if isinstance(one, Number):
        return bool(one.text == other.text)
    return bool(one == other)
