"""One rule for each keyword of JSON Schema: what the schemas that apply must say, so that it is implied."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import NamedTuple

from crud_svc.documents.exact_json import encode, shown
from crud_svc.types.asking import Asked, Conjunct, Problem
from crud_svc.types.facts import NUMBERS, TYPES, Bound, equal, exact, types_of
from crud_svc.types.inside import array_rule, names_rule, others_rule, patterns_rule, properties_rule

# Of listed values that are no texts, each with each.
MAX_VALUES_COMPARED = 40_000

Rule = Callable[[Asked], Iterator[Problem]]


class For(NamedTuple):
    """A rule, the keywords it is about, and the types of values that these say something about."""

    keywords: tuple[str, ...]
    types: frozenset[str]
    check: Rule


def _type(asked: Asked) -> Iterator[Problem]:
    missing = asked.facts.types - types_of(asked.wide.view["type"])
    if missing:
        yield asked.stricter("type", f"takes no {_named(missing)} here")


def _named(types: frozenset[str]) -> str:
    if types >= NUMBERS:
        return " or ".join(sorted({*types, "number"} - NUMBERS))
    return " or ".join("number with a fraction" if name == "fraction" else name for name in sorted(types))


def _values(asked: Asked) -> Iterator[Problem]:
    view = asked.wide.view
    for keyword in ("const", "enum"):
        if keyword not in view:
            continue
        taken = [view["const"]] if keyword == "const" else view["enum"]
        if asked.facts.values is None:
            yield asked.stricter(keyword, "takes listed values only")
            continue
        texts = {value for value in taken if isinstance(value, str)}
        others = [value for value in taken if not isinstance(value, str)]
        asking = [value for value in asked.facts.values if not (isinstance(value, str) and value in texts)]
        if len(asking) * len(others) > MAX_VALUES_COMPARED:
            yield asked.unclear(keyword, "lists too many values to be compared")
            continue
        missing = [value for value in asking if not any(equal(value, one) for one in others)]
        if missing:
            yield asked.stricter(keyword, f"does not take {shown(encode(missing[0]).decode())}")


def _lowest(asked: Asked) -> Iterator[Problem]:
    facts, view = asked.facts, asked.wide.view
    for keyword, open_ in (("minimum", False), ("exclusiveMinimum", True)):
        if keyword in view:
            have, want = facts.lowest(), Bound(exact(view[keyword]), open_)
            if have is None or have < want:
                yield asked.stricter(keyword, "has a higher lower limit")


def _highest(asked: Asked) -> Iterator[Problem]:
    facts, view = asked.facts, asked.wide.view
    for keyword, open_ in (("maximum", False), ("exclusiveMaximum", True)):
        if keyword in view:
            have, want = facts.highest(), Bound(exact(view[keyword]), open_)
            if have is None or have.at > want.at or (have.at == want.at and want.open and not have.open):
                yield asked.stricter(keyword, "has a lower upper limit")


def _multiple(asked: Asked) -> Iterator[Problem]:
    unit = exact(asked.wide.view["multipleOf"])
    said = [exact(value) for value in asked.facts.all("multipleOf")]
    if "fraction" not in asked.facts.types:
        said.append(exact(1))
    if not any((value / unit).denominator == 1 for value in said):
        yield asked.stricter("multipleOf", "takes multiples only, of something else than the other schema")


def _at_least(keyword: str) -> Rule:
    def check(asked: Asked) -> Iterator[Problem]:
        if asked.facts.least(keyword) < exact(asked.wide.view[keyword]):
            yield asked.stricter(keyword, f"wants {asked.wide.view[keyword]} at least")

    return check


def _at_most(keyword: str) -> Rule:
    def check(asked: Asked) -> Iterator[Problem]:
        most = asked.facts.most(keyword)
        if most is None or most > exact(asked.wide.view[keyword]):
            yield asked.stricter(keyword, f"wants {asked.wide.view[keyword]} at most")

    return check


def _listed(keyword: str) -> Rule:
    def check(asked: Asked) -> Iterator[Problem]:
        said = asked.facts.all(keyword)
        if asked.wide.view[keyword] not in said:
            if said:
                yield asked.unclear(keyword, f"has another {keyword}: two of them cannot be compared")
            else:
                yield asked.stricter(keyword, f"has a {keyword}, the other schema has none")

    return check


def _unique(asked: Asked) -> Iterator[Problem]:
    most = asked.facts.most("maxItems")
    if most is not None and most <= 1:
        return
    if asked.wide.view["uniqueItems"] is True and True not in asked.facts.all("uniqueItems"):
        yield asked.stricter("uniqueItems", "takes no value twice")


def _required(asked: Asked) -> Iterator[Problem]:
    for name in asked.wide.view["required"]:
        if name not in asked.facts.required:
            yield asked.stricter("required", f"requires the member {shown(name)}")


def _dependent(asked: Asked) -> Iterator[Problem]:
    said = asked.facts.all("dependentRequired")
    for name, wanted in asked.wide.view["dependentRequired"].items():
        have = set(chain.from_iterable(one.get(name, ()) for one in said)) | {name}
        if missing := [one for one in wanted if one not in have and one not in asked.facts.required]:
            yield asked.stricter("dependentRequired", f"requires {shown(missing[0])} where there is {shown(name)}")


def _any(asked: Asked) -> Iterator[Problem]:
    branches = (f"{asked.wide.place}/anyOf/{n}" for n in range(len(asked.wide.view["anyOf"])))
    if all(asked.compared(asked.given, branch) for branch in branches):
        yield asked.stricter("anyOf", "no alternative takes all that the other schema takes here")


TEXT, ARRAY, OBJECT = frozenset({"string"}), frozenset({"array"}), frozenset({"object"})

RULES = (
    For(("type",), TYPES, _type),
    For(("const", "enum"), TYPES, _values),
    For(("minimum", "exclusiveMinimum"), NUMBERS, _lowest),
    For(("maximum", "exclusiveMaximum"), NUMBERS, _highest),
    For(("multipleOf",), NUMBERS, _multiple),
    For(("minLength",), TEXT, _at_least("minLength")),
    For(("maxLength",), TEXT, _at_most("maxLength")),
    For(("pattern",), TEXT, _listed("pattern")),
    For(("format",), TEXT, _listed("format")),
    For(("minItems",), ARRAY, _at_least("minItems")),
    For(("maxItems",), ARRAY, _at_most("maxItems")),
    For(("uniqueItems",), ARRAY, _unique),
    For(("items", "prefixItems", "additionalItems"), ARRAY, array_rule),
    For(("minProperties",), OBJECT, _at_least("minProperties")),
    For(("maxProperties",), OBJECT, _at_most("maxProperties")),
    For(("required",), OBJECT, _required),
    For(("dependentRequired",), OBJECT, _dependent),
    For(("properties",), OBJECT, properties_rule),
    For(("patternProperties",), OBJECT, patterns_rule),
    For(("additionalProperties",), OBJECT, others_rule),
    For(("propertyNames",), OBJECT, names_rule),
    For(("anyOf",), TYPES, _any),
)

# Keywords that are only compared as a whole: with the same ones in one schema that applies, they are implied.
_WHOLE: tuple[tuple[str, tuple[str, ...], frozenset[str]], ...] = (
    ("oneOf", ("oneOf",), TYPES),
    ("not", ("not",), TYPES),
    ("if", ("if", "then", "else"), TYPES),
    ("contains", ("contains", "minContains", "maxContains"), ARRAY),
    ("dependentSchemas", ("dependentSchemas",), OBJECT),
    ("dependencies", ("dependencies",), OBJECT),
    ("contentEncoding", ("contentEncoding",), TEXT),
    ("contentMediaType", ("contentMediaType",), TEXT),
)
# What these mean depends on the keywords beside them.
_NEVER = (("unevaluatedProperties", OBJECT), ("unevaluatedItems", ARRAY))


def opaque(asked: Asked) -> Iterator[Problem]:
    """What cannot be told of keywords without a rule."""
    wide, types = asked.wide, asked.facts.types
    for first, keywords, about in _WHOLE:
        if first in wide.view and about & types:
            wanted = _group(wide, keywords)
            if not any(first in one.view and asked.same(_group(one, keywords), wanted) for one in asked.narrow):
                message = f"{first} is only compared as a whole, and the other schema has another one here, or none"
                yield asked.unclear(first, message)
    for keyword, about in _NEVER:
        if wide.view.get(keyword, True) is not True and about & types:
            yield asked.unclear(keyword, f"{keyword} can only be compared where everything beside it is the same")


def _group(one: Conjunct, keywords: tuple[str, ...]) -> dict[str, object]:
    return {keyword: one.view[keyword] for keyword in keywords if keyword in one.view}
