"""What some keywords of schemas that all apply to one value say together: its types, its bounds, what it must have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any, NamedTuple

from crud_svc.documents.exact_json import Number

View = Mapping[str, Any]

TYPES = frozenset({"null", "boolean", "object", "array", "string", "integer", "fraction"})
"""JSON's types, with its numbers in two: `number` is both."""
NUMBERS = frozenset({"integer", "fraction"})

MAX_EXPONENT = 400  # a 64-bit float has less; what is further from zero is no number of a document


def exact(value: Any) -> Fraction:
    """A number as a value that can be counted with. Next to zero it is cut: 1e-999999999 has a billion digits."""
    if isinstance(value, Number):
        try:
            decimal = Decimal(value.text)
        except InvalidOperation:
            decimal = Decimal(0)
        if decimal and decimal.adjusted() < -MAX_EXPONENT:
            decimal = Decimal((decimal.is_signed(), (1,), -MAX_EXPONENT))
        return Fraction(decimal)
    return Fraction(value)


def is_number(value: Any) -> bool:
    """Whether it is one; true and false are none."""
    return isinstance(value, (int, Number)) and not isinstance(value, bool)


def equal(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same value: 1 is 1.0, and not true."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    if is_number(one) and is_number(other):
        return exact(one) == exact(other)
    return type(one) is type(other) and bool(one == other)


def types_of(keyword: Any) -> frozenset[str]:
    """What the keyword `type` names."""
    names = keyword if isinstance(keyword, list) else [keyword]
    return frozenset(part for name in names for part in (NUMBERS if name == "number" else (name,)))


def type_of(value: Any) -> str:
    """The type of a value."""
    if value is None:
        return "null"
    if is_number(value):
        return "integer" if exact(value).denominator == 1 else "fraction"
    return {bool: "boolean", str: "string", list: "array"}.get(type(value), "object")


def values_of(view: View) -> list[Any] | None:
    """The values that `const` or `enum` leave; None where neither says anything."""
    return [view["const"]] if "const" in view else view.get("enum")


class Bound(NamedTuple):
    """A limit of numbers; `open`: the limit itself is outside."""

    at: Fraction
    open: bool


class Facts:
    """Of schemas that all apply. Where they say nothing, anything goes."""

    def __init__(self, views: Sequence[View]) -> None:
        self._views = views
        listed = [values for view in views if (values := values_of(view)) is not None]
        self.values: list[Any] | None = min(listed, key=len, default=None)
        found = TYPES
        for view in views:
            if "type" in view:
                found &= types_of(view["type"])
        if self.values is not None:
            found &= {type_of(value) for value in self.values}
            self.values = [value for value in self.values if type_of(value) in found]
        self.types = found
        if self.values is None and found <= {"null", "boolean"}:
            both = [None] if "null" in found else []
            self.values = [*both, *([True, False] if "boolean" in found else [])]
        self.required = frozenset(name for view in views for name in view.get("required", ()))

    def all(self, keyword: str) -> list[Any]:
        """What each of them says by a keyword."""
        return [view[keyword] for view in self._views if keyword in view]

    def lowest(self) -> Bound | None:
        """The lower limit of numbers."""
        bounds = [*self._bounds("minimum", open_=False), *self._bounds("exclusiveMinimum", open_=True)]
        if numbers := self._numbers():
            bounds.append(Bound(min(numbers), open=False))
        return max(bounds, default=None)

    def highest(self) -> Bound | None:
        """The upper limit of numbers."""
        bounds = [*self._bounds("maximum", open_=False), *self._bounds("exclusiveMaximum", open_=True)]
        if numbers := self._numbers():
            bounds.append(Bound(max(numbers), open=False))
        return min(bounds, key=lambda bound: (bound.at, not bound.open), default=None)

    def least(self, keyword: str) -> Fraction:
        """Of `minLength`, `minItems`, `minProperties`."""
        said = [exact(value) for value in self.all(keyword)]
        if keyword == "minProperties":
            said.append(Fraction(len(self.required)))
        if keyword == "minLength" and (texts := self._texts()):
            said.append(Fraction(min(map(len, texts))))
        return max(said, default=Fraction(0))

    def most(self, keyword: str) -> Fraction | None:
        """Of `maxLength`, `maxItems`, `maxProperties`; None: no limit."""
        said = [exact(value) for value in self.all(keyword)]
        if keyword == "maxLength" and (texts := self._texts()):
            said.append(Fraction(max(map(len, texts))))
        return min(said, default=None)

    def _bounds(self, keyword: str, *, open_: bool) -> list[Bound]:
        return [Bound(exact(value), open_) for value in self.all(keyword)]

    def _numbers(self) -> list[Fraction]:
        return [exact(value) for value in self.values or () if is_number(value)]

    def _texts(self) -> list[str]:
        return [value for value in self.values or () if isinstance(value, str)]
