"""A JSON Schema as it is taken in: which draft, within its bounds, every reference inside the document. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any, NamedTuple
from urllib.parse import unquote

import msgspec

from crud_svc.documents.exact_json import depth, encode, shown, token
from eskit.errors import InvalidRequest

MAX_BYTES = 64 * 1024
MAX_LEVELS = 64  # objects and arrays within one another
MAX_PARTS = 2000  # subschemas
MAX_PATTERNS = 100
MAX_PATTERN = 1000  # characters
MAX_WEIGHT = 200_000  # steps that one value may take

DEFAULT_DRAFT = "https://json-schema.org/draft/2020-12/schema"
DRAFTS: Mapping[str, str] = {
    DEFAULT_DRAFT: "2020-12",
    "https://json-schema.org/draft/2019-09/schema": "2019-09",
    "http://json-schema.org/draft-07/schema": "7",
}

# Where schemas stand in a schema, and whether they see the same value (beside) or one inside it.
_BESIDE_ONE = ("not", "if", "then", "else")
_BESIDE_LIST = ("allOf", "anyOf", "oneOf")
_BESIDE_MAP = ("dependentSchemas", "dependencies")
_INSIDE_ONE = ("additionalProperties", "propertyNames", "contains", "unevaluatedProperties", "unevaluatedItems",
               "additionalItems", "items", "contentSchema")  # fmt: skip
_INSIDE_LIST = ("prefixItems", "items")
_INSIDE_MAP = ("properties", "patternProperties")
_DEFINITIONS = ("$defs", "definitions")

# What names parts in another way than by a place in the document, or changes what a reference means.
_REFUSED = {
    "$anchor": "name the part in $defs and refer to #/$defs/…",
    "$dynamicAnchor": "name the part in $defs and refer to #/$defs/…",
    "$dynamicRef": "use $ref",
    "$recursiveAnchor": "refer to # or to #/$defs/…",
    "$recursiveRef": 'use {"$ref": "#"}',
    "$vocabulary": "only the standard keywords are known here",
}
_ROOT_ONLY = ("$id", "$schema")


class Part(NamedTuple):
    """A subschema: the places of those that see the same value, and of those that see values inside it."""

    schema: Any
    beside: tuple[str, ...]
    inside: tuple[str, ...]


class Schema(msgspec.Struct, frozen=True):
    """A schema within its bounds. `parts`: every subschema by its JSON pointer, the root under the empty one."""

    document: dict[str, Any]
    text: str
    draft: str
    parts: dict[str, Part]
    weight: int  # steps that each value of a document takes at most; 0: nothing but trying can tell
    patterns: int  # patterns and formats, which look at every character of a text


def read(document: dict[str, Any], at: str = "/schema") -> Schema:
    """Check a schema that was parsed; raises InvalidRequest whose field is a JSON pointer that begins with `at`."""
    text = encode(document).decode()
    if len(text.encode()) > MAX_BYTES:
        raise _refused(at, f"The schema has more than {MAX_BYTES} bytes", limit=MAX_BYTES)
    if depth(document) > MAX_LEVELS:
        raise _refused(at, f"The schema is nested deeper than {MAX_LEVELS} levels", limit=MAX_LEVELS)
    draft = _draft(document, at)
    walk = _Walk(at)
    walk.visit("", document)
    for place, part in walk.parts.items():
        for target in part.beside:
            if target not in walk.parts:
                raise _refused(f"{at}{place}/$ref", f"$ref leads to {shown('#' + target)}, where no schema stands")
    weight = _weight(walk.parts, at)  # which also refuses
    return Schema(document, text, draft, walk.parts, 0 if walk.unevaluated else weight, walk.patterns)


def reference(schema: Any) -> str | None:
    """The place that a `$ref` inside the document leads to."""
    found = schema.get("$ref") if isinstance(schema, dict) else None
    return unquote(found[1:]) if isinstance(found, str) else None


def _draft(document: dict[str, Any], at: str) -> str:
    given = document.get("$schema", DEFAULT_DRAFT)
    found = DRAFTS.get(given.removesuffix("#")) if isinstance(given, str) else None
    if found is None:
        raise _refused(f"{at}/$schema", f"$schema must be one of {', '.join(DRAFTS)}")
    return found


def _refused(field: str, message: str, **extra: Any) -> InvalidRequest:
    return InvalidRequest(f"{message} (at {shown(field)})", field=field, **extra)


class _Walk:
    """Visits every place where a schema stands: what stands elsewhere is data, whatever it looks like."""

    def __init__(self, at: str) -> None:
        self.at = at
        self.parts: dict[str, Part] = {}
        self.patterns = 0
        self.unevaluated = False  # looks at the parts around it anew for each value: no count of ours bounds that

    def visit(self, place: str, schema: Any) -> None:
        if len(self.parts) >= MAX_PARTS:
            raise _refused(self.at + place, f"The schema has more than {MAX_PARTS} subschemas", limit=MAX_PARTS)
        if not isinstance(schema, dict):
            if not isinstance(schema, bool):
                raise _refused(self.at + place, "A schema must be an object or a boolean")
            self.parts[place] = Part(schema, (), ())
            return
        self._keywords(place, schema)
        beside = [*_places(schema, place, _BESIDE_ONE, _BESIDE_LIST, _BESIDE_MAP)]
        inside = [*_places(schema, place, _INSIDE_ONE, _INSIDE_LIST, _INSIDE_MAP)]
        named = [*_places(schema, place, (), (), _DEFINITIONS)]
        target = self._target(place, schema)
        places = tuple(where for where, _ in beside)
        self.parts[place] = Part(schema, places if target is None else (*places, target), tuple(w for w, _ in inside))
        for where, child in (*beside, *inside, *named):
            self.visit(where, child)

    def _keywords(self, place: str, schema: dict[str, Any]) -> None:
        for keyword, instead in _REFUSED.items():
            if keyword in schema:
                raise _refused(f"{self.at}{place}/{keyword}", f"{keyword} is not taken: {instead}")
        for keyword in _ROOT_ONLY:
            if place and keyword in schema:
                raise _refused(f"{self.at}{place}/{keyword}", f"{keyword} may only stand at the root of the schema")
        self.unevaluated |= "unevaluatedProperties" in schema or "unevaluatedItems" in schema
        patterns = [p for p in (schema.get("pattern"), *_members(schema, "patternProperties")) if isinstance(p, str)]
        self.patterns += len(patterns) + ("format" in schema)
        if any(len(pattern) > MAX_PATTERN for pattern in patterns) or self.patterns > MAX_PATTERNS:
            message = f"The schema may have {MAX_PATTERNS} patterns and formats, of {MAX_PATTERN} characters each"
            raise _refused(self.at + place, message, limit=MAX_PATTERNS)

    def _target(self, place: str, schema: dict[str, Any]) -> str | None:
        if "$ref" not in schema:
            return None
        given = schema["$ref"]
        if not isinstance(given, str) or not (given == "#" or given.startswith("#/")):
            message = "$ref must stay within the document: # or #/ and a JSON pointer, like #/$defs/address"
            raise _refused(f"{self.at}{place}/$ref", message)
        return reference(schema)


def _members(schema: dict[str, Any], keyword: str) -> dict[str, Any]:
    found = schema.get(keyword)
    return found if isinstance(found, dict) else {}


def _places(
    schema: dict[str, Any], place: str, one: tuple[str, ...], several: tuple[str, ...], named: tuple[str, ...]
) -> Iterator[tuple[str, Any]]:
    """Of some keywords the schemas under them. What has another form than a schema may is for the draft to refuse."""
    for keyword in one:
        if isinstance(schema.get(keyword), (dict, bool)):
            yield f"{place}/{keyword}", schema[keyword]
    for keyword in several:
        if isinstance(schema.get(keyword), list):
            yield from ((f"{place}/{keyword}/{index}", child) for index, child in enumerate(schema[keyword]))
    for keyword in named:
        for name, child in _members(schema, keyword).items():
            if not (keyword == "dependencies" and isinstance(child, list)):
                yield f"{place}/{keyword}/{token(name)}", child


def _weight(parts: dict[str, Part], at: str) -> int:
    """How many steps a value takes at most with everything that applies to it or around it; 0 for a recursion.

    A part counts as often as it is used: thirty lines make two to the power of thirty. Refused are too many, and
    references that lead back to themselves on the same value, which would mean nothing.
    """
    beside = {place: part.beside for place, part in parts.items()}
    try:
        order = tuple(TopologicalSorter(beside).static_order())
    except CycleError as error:
        raise _refused(f"{at}{error.args[1][0]}", "$ref leads back to itself without going into the value") from None
    _counted(order, beside, parts, at)
    everything = {place: (*part.beside, *part.inside) for place, part in parts.items()}
    try:
        order = tuple(TopologicalSorter(everything).static_order())
    except CycleError:
        return 0
    return _counted(order, everything, parts, at)


def _counted(order: Sequence[str], uses: Mapping[str, Sequence[str]], parts: dict[str, Part], at: str) -> int:
    counts: dict[str, int] = {}
    for place in order:
        counts[place] = _own(parts[place].schema) + sum(counts[used] for used in uses[place])
        if counts[place] > MAX_WEIGHT:
            message = f"A value would take more than {MAX_WEIGHT} steps: parts of the schema are used too often"
            raise _refused(at + place, message, limit=MAX_WEIGHT)
    return counts[""]


def _own(schema: Any) -> int:
    """The steps of a subschema alone: each name and each value that it lists is one."""
    if isinstance(schema, bool):
        return 1
    lists = sum(len(value) for value in schema.values() if isinstance(value, (list, dict)))
    return 1 + lists + sum(_values(schema[keyword]) for keyword in ("const", "enum") if keyword in schema)


def _values(value: Any) -> int:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(_values, children))
