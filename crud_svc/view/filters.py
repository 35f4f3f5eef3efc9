"""What a list shall have: conditions on fields, from the query, and whether a document meets them. Pure."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, Literal, NamedTuple, get_args

from crud_svc.documents.exact_json import Number, encode, parse, shown
from crud_svc.view.fields import Field, field
from crud_svc.view.keys import MISSING, Scalar, at, plain
from eskit.errors import EskitError, InvalidRequest

PREFIX = "filter."
MAX_FILTERS = 10
MAX_VALUE_CHARS = 1000
MAX_IN = 100

Op = Literal["eq", "gt", "gte", "lt", "lte", "in", "prefix", "exists"]
OPS = frozenset(get_args(Op))

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}


class Condition(NamedTuple):
    """One filter. `values`: one of them, but for `in`; of `exists` a boolean."""

    field: Field
    op: Op
    values: tuple[Scalar, ...]

    @property
    def exact(self) -> bool:
        """Whether all documents that meet it have the same value there, so that an index may begin with it."""
        return self.op == "eq" or (self.op == "exists" and self.values == (False,))


def conditions(parameters: Iterable[tuple[str, str]]) -> tuple[Condition, ...]:
    """The filters among a query's parameters; raises InvalidRequest."""
    found = tuple(_condition(name, text) for name, text in parameters if name.startswith(PREFIX))
    if len(found) > MAX_FILTERS:
        raise InvalidRequest(f"There are {len(found)} filters; {MAX_FILTERS} are allowed", field="filter")
    if len({(one.field, one.op) for one in found}) < len(found):
        raise InvalidRequest("A field has the same filter twice", field="filter")
    return found


def _condition(name: str, text: str) -> Condition:
    if len(text) > MAX_VALUE_CHARS:
        raise InvalidRequest(f"{name[:100]} has more than {MAX_VALUE_CHARS} characters", field=name[:100])
    rest, dot, last = name.removeprefix(PREFIX).rpartition(".")
    if dot and last in OPS:
        op, place = last, field(rest, name)
    else:
        op, place = "eq", field(name.removeprefix(PREFIX), name)
    return Condition(place, op, _values(name, op, text))  # type: ignore[arg-type]  # it is one of OPS


def _values(name: str, op: str, text: str) -> tuple[Scalar, ...]:
    if op == "prefix":
        return (str(_text(text)),)
    if op == "exists":
        if text not in {"true", "false"}:
            raise InvalidRequest(f"{name} must be true or false", field=name)
        return (text == "true",)
    if op == "in":
        return _several(name, text)
    value = scalar(name, text)
    if op != "eq" and (value is None or isinstance(value, bool)):
        raise InvalidRequest(f"{name} must be a number or a string", field=name)
    return (value,)


def _several(name: str, text: str) -> tuple[Scalar, ...]:
    if text.startswith("["):
        given = _literal(text)
        if not isinstance(given, list):
            raise InvalidRequest(f"{name} must be values with commas between, or a JSON array", field=name)
        found = tuple(_checked(name, value) for value in given)
    else:
        found = tuple(scalar(name, part) for part in text.split(","))
    if not 1 <= len(found) <= MAX_IN:
        raise InvalidRequest(f"{name} must have 1 to {MAX_IN} values", field=name)
    return found


def _literal(text: str) -> Any:
    """A JSON value, where the text is one; else the text."""
    try:
        return plain(parse(text.encode()))
    except EskitError:
        return text


def _text(text: str) -> Any:
    found = _literal(text)
    return found if isinstance(found, str) else text


def scalar(name: str, text: str) -> Scalar:
    """A number, true, false, null, "a string" where the text is such a JSON literal; else a string."""
    return _checked(name, _literal(text))


def _checked(name: str, value: Any) -> Scalar:
    if isinstance(value, dict | list):
        given = shown(encode(value).decode())
        message = f"{name} must be a string, a number, true, false or null, not {given}"
        raise InvalidRequest(message, field=name)
    checked: Scalar = value
    return checked


def meets(document: Any, wanted: Iterable[Condition]) -> bool:
    """Whether a document meets all of them; strings are compared by code points, numbers by value."""
    return all(_meets(at(document, one.field.steps), one) for one in wanted)


def _meets(value: Any, wanted: Condition) -> bool:
    match wanted.op:
        case "exists":
            return (value is not MISSING) == wanted.values[0]
        case "eq" | "in":
            return any(_same(value, one) for one in wanted.values)
        case "prefix":
            return isinstance(value, str) and value.startswith(str(wanted.values[0]))
    bound = wanted.values[0]
    if isinstance(bound, str):
        return isinstance(value, str) and _COMPARE[wanted.op](value, bound)
    if not _is_number(value):
        return False
    return _COMPARE[wanted.op](_decimal(value), _decimal(bound))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | Number) and not isinstance(value, bool)


def _same(value: Any, wanted: Scalar) -> bool:
    if _is_number(value) and _is_number(wanted):
        return _decimal(value) == _decimal(wanted)
    return type(value) is type(wanted) and bool(value == wanted)


def _decimal(value: Any) -> Decimal:
    return Decimal(value.text if isinstance(value, Number) else value)
