"""The rules for what is inside a value: the members of an object, the items of an array."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from crud_svc.documents.exact_json import shown, token
from crud_svc.types.asking import Asked, Conjunct, Problem


def properties_rule(asked: Asked) -> Iterator[Problem]:
    """Each named member."""
    for name in asked.wide.view["properties"]:
        yield from asked.compared(_member(asked.narrow, name), f"{asked.wide.place}/properties/{token(name)}")


def patterns_rule(asked: Asked) -> Iterator[Problem]:
    """Members by patterns: under the same pattern, or, where the other schema is closed, any member it takes."""
    closed = _closed(asked.narrow)
    for pattern in asked.wide.view["patternProperties"]:
        wanted = f"{asked.wide.place}/patternProperties/{token(pattern)}"
        same = [
            f"{one.place}/patternProperties/{token(pattern)}"
            for one in asked.narrow
            if pattern in one.view.get("patternProperties", {})
        ]
        if same or closed is None:
            found = asked.compared(same, wanted)
            if found and not same:
                yield Problem(wanted, "cannot-tell", "which members the pattern is about cannot be told")
            else:
                yield from found
            continue
        for name in closed:
            if asked.compared(_member(asked.narrow, name), wanted):
                message = f"whether the pattern is about the member {shown(name)} cannot be told"
                yield Problem(wanted, "cannot-tell", message)


def others_rule(asked: Asked) -> Iterator[Problem]:
    """The members that the wide schema does not name: those that the narrow one names, and all others."""
    view, wanted = asked.wide.view, f"{asked.wide.place}/additionalProperties"
    named = {name for one in asked.narrow for name in one.view.get("properties", ())}
    refuses = view["additionalProperties"] is False
    for name in sorted(named - view.get("properties", {}).keys()):
        found = asked.compared(_member(asked.narrow, name), wanted)
        if found and view.get("patternProperties"):
            yield Problem(wanted, "cannot-tell", f"whether a pattern is about the member {shown(name)} cannot be told")
        elif found and refuses:
            yield Problem(wanted, "stricter", f"does not take the member {shown(name)}")
        else:
            yield from found
    patterns = view.get("patternProperties", {}).keys()
    others = [
        f"{one.place}/additionalProperties"
        for one in asked.narrow
        if "additionalProperties" in one.view and one.view.get("patternProperties", {}).keys() <= patterns
    ]
    found = asked.compared(others, wanted)
    if found and refuses:
        yield Problem(wanted, "stricter", "takes no members but those it names")
    else:
        yield from found


def names_rule(asked: Asked) -> Iterator[Problem]:
    """The names of members."""
    given = [f"{one.place}/propertyNames" for one in asked.narrow if "propertyNames" in one.view]
    yield from asked.compared(given, f"{asked.wide.place}/propertyNames")


def array_rule(asked: Asked) -> Iterator[Problem]:
    """The items, one by one as far as either schema tells them apart, then the rest."""
    draft = asked.draft
    wide, narrow = _items(asked.wide, draft), [_items(one, draft) for one in asked.narrow]
    most = asked.facts.most("maxItems")
    apart = max(len(one.first) for one in (wide, *narrow))
    for index in range(apart + 1):
        wanted = wide.at(index)
        if wanted is None or (most is not None and most <= index):
            continue
        yield from asked.compared([p for one in narrow if (p := one.at(index)) is not None], wanted)


class _Items(NamedTuple):
    """The places of the schemas of the first items, and of the others."""

    first: list[str]
    rest: str | None

    def at(self, index: int) -> str | None:
        return self.first[index] if index < len(self.first) else self.rest


def _items(one: Conjunct, draft: str) -> _Items:
    view, place = one.view, one.place
    listed, rest = ("prefixItems", "items") if draft == "2020-12" else ("items", "additionalItems")
    if isinstance(view.get(listed), list):
        first = [f"{place}/{listed}/{index}" for index in range(len(view[listed]))]
        return _Items(first, f"{place}/{rest}" if rest in view else None)
    return _Items([], f"{place}/items" if "items" in view else None)


def _member(narrow: list[Conjunct], name: str) -> list[str]:
    """What applies to a member, as far as it is known: patterns are left out, which only makes it wider."""
    found = []
    for one in narrow:
        if name in one.view.get("properties", {}):
            found.append(f"{one.place}/properties/{token(name)}")
        elif "additionalProperties" in one.view and not one.view.get("patternProperties"):
            found.append(f"{one.place}/additionalProperties")
    return found


def _closed(narrow: list[Conjunct]) -> list[str] | None:
    """The members that there may be at all; None where that is not known."""
    for one in narrow:
        if one.view.get("additionalProperties") is False and not one.view.get("patternProperties"):
            return sorted(one.view.get("properties", ()))
    return None
