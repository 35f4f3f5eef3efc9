"""Small schemas and documents made up at random: few names and values, so that they have to do with one another."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

SCALARS = (None, True, False, 0, 1, 2, 3, "", "a", "ab")
TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")
NAMES = "abc"
LIMITS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "minItems",
          "maxItems", "minProperties", "maxProperties", "minContains", "maxContains")  # fmt: skip


def value(random: Random, levels: int = 2) -> Any:
    """A JSON value."""
    kind = random.randrange(4) if levels else 0
    if kind == 2:
        return [value(random, levels - 1) for _ in range(random.randrange(4))]
    if kind == 3:
        return {name: value(random, levels - 1) for name in NAMES if random.random() < 0.6}
    return random.choice(SCALARS)


def _several(of: Callable[[Random], Any], most: int = 2) -> Callable[[Random], list[Any]]:
    return lambda random: [of(random) for _ in range(random.randint(1, most))]


def _names(random: Random) -> list[str]:
    return random.sample(NAMES, random.randrange(3))


def _number(random: Random) -> int:
    return random.randrange(4)


PLAIN: dict[str, Callable[[Random], Any]] = {
    "type": lambda random: random.sample(TYPES, random.randint(1, 3)),
    "const": lambda random: random.choice(SCALARS),
    "enum": lambda random: random.sample(SCALARS, random.randint(1, 4)),
    **dict.fromkeys(LIMITS, _number),
    "multipleOf": lambda random: random.choice([1, 2, 3]),
    "pattern": lambda random: random.choice(["^a", "b$"]),
    "uniqueItems": lambda random: random.random() < 0.7,
    "required": _names,
    "dependentRequired": lambda random: {name: _names(random) for name in random.sample("ab", 1)},
}  # fmt: skip


def _nested(levels: int, *, lists: bool) -> dict[str, Callable[[Random], Any]]:
    def inner(random: Random) -> Any:
        return schema(random, levels - 1, lists=lists)

    def members(random: Random) -> dict[str, Any]:
        return {name: inner(random) for name in _names(random)}

    return {
        "properties": members,
        "patternProperties": lambda random: {random.choice(["^a", "b"]): inner(random)},
        "additionalProperties": inner,
        "propertyNames": inner,
        "items": _several(inner) if lists else inner,
        "additionalItems": inner,
        "prefixItems": _several(inner),
        "contains": inner,
        "allOf": _several(inner),
        "anyOf": _several(inner),
        "oneOf": _several(inner),
        "not": inner,
        "if": inner,
        "then": inner,
        "else": inner,
        "dependentSchemas": members,
        "unevaluatedProperties": inner,
        "unevaluatedItems": inner,
        "$ref": lambda random: random.choice(["#/$defs/one", "#/$defs/two"]),
    }


def schema(random: Random, levels: int = 2, *, lists: bool = False) -> Any:
    """A schema; its references lead to `$defs/one` and `$defs/two`."""
    if random.random() < 0.1:
        return random.random() < 0.7
    known = PLAIN | (_nested(levels, lists=lists) if levels else {})
    return {keyword: known[keyword](random) for keyword in random.sample(sorted(known), random.randint(1, 3))}


def schema_pair(random: Random, *, lists: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two schemas that have much in common: others are hardly ever compatible. `lists`: `items` is one, as of old."""
    one: dict[str, Any] = {"$defs": {"one": schema(random, 0), "two": schema(random, 0)}}
    while len(one) < 4:
        one |= _object(random, lists)
    other = dict(one)
    for keyword in random.sample(sorted(one), random.randint(1, 3)):
        del other[keyword]
    if random.random() < 0.4:
        other |= _object(random, lists)
    other["$defs"] = {"one": schema(random, 0), "two": one["$defs"]["two"]} if random.random() < 0.3 else one["$defs"]
    return one, other


def _object(random: Random, lists: bool) -> dict[str, Any]:
    found = schema(random, lists=lists)
    return found if isinstance(found, dict) else {}
