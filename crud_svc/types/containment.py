"""Whether every document that one schema takes another takes, too: found by comparing keywords, never by trying values.

What is answered `yes` holds. What is not may be that the other schema demands more, or that this cannot be told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from crud_svc.types.asking import Asked, Conjunct, Problem
from crud_svc.types.facts import Facts, equal
from crud_svc.types.keywords import RULES, opaque
from crud_svc.types.schemas import Schema, reference

MAX_STEPS = 100_000  # compared pieces, before it cannot be told: about a second
STEPS_OF_A_PART = 20

# Keywords that a draft does not know, or knows as mere comments.
_UNKNOWN: dict[str, frozenset[str]] = {
    "7": frozenset({"dependentRequired", "dependentSchemas", "minContains", "maxContains", "prefixItems",
                    "unevaluatedProperties", "unevaluatedItems"}),
    "2019-09": frozenset({"prefixItems", "contentEncoding", "contentMediaType"}),
    "2020-12": frozenset({"additionalItems", "contentEncoding", "contentMediaType"}),
}  # fmt: skip


class Steps:
    """How much may still be compared."""

    def __init__(self) -> None:
        self.left = MAX_STEPS

    def take(self, steps: int = 1) -> bool:
        """Whether there are so many left."""
        self.left -= steps
        return self.left > 0


class Containment:
    """Compares two schemas; `narrow` is the one whose documents the `wide` one has to take."""

    def __init__(self, narrow: Schema, wide: Schema) -> None:
        self.narrow, self.wide = narrow, wide
        self.steps = Steps()
        self._known: dict[tuple[frozenset[str], str], list[Problem]] = {}
        self._same_parts: dict[str, bool] = {}

    def problems(self) -> list[Problem]:
        """What speaks against it; nothing: every document is taken."""
        if self.narrow.draft != self.wide.draft:
            return [Problem("/$schema", "cannot-tell", "the two schemas are of different drafts")]
        return list(dict.fromkeys(self.compared(("",), "")))

    def compared(self, given: Sequence[str], wanted: str) -> list[Problem]:
        """Whether a value that all `given` parts of the narrow schema take is taken by the `wanted` part of the wide.

        Nothing given: any value. A recursion is followed once: that it holds for what is inside a value is then the
        reason that it holds for the value.
        """
        key = (frozenset(given), wanted)
        if key in self._known:
            return self._known[key]
        if not self.steps.take(STEPS_OF_A_PART):
            return [_too_large(wanted)]
        before = len(self._known)
        self._known[key] = []
        found = self._compared(tuple(given), wanted)
        if found:
            # What was found meanwhile may have counted on this.
            for late in list(self._known)[before:]:
                del self._known[late]
        self._known[key] = found
        return found

    def _compared(self, given: tuple[str, ...], wanted: str) -> list[Problem]:
        narrow = self._conjuncts(self.narrow, given)
        if narrow is None:
            return []  # no value at all
        wide = self._conjuncts(self.wide, (wanted,))
        if wide is None:
            return [Problem(wanted, "stricter", "takes no value at all here")]
        if not self.steps.take(len(narrow) * len(wide) + sum(map(_entries, (*narrow, *wide)))):
            return [_too_large(wanted)]
        found = [problem for conjunct in wide for problem in self._demanded(given, narrow, conjunct)]
        if found and self._branch_by_branch(given, narrow, wanted):
            return []
        return found

    def _demanded(self, given: tuple[str, ...], narrow: list[Conjunct], wide: Conjunct) -> Iterator[Problem]:
        if any(self.same(one.view, wide.view) for one in narrow):
            return
        facts = Facts([one.view for one in narrow])
        asked = Asked(self.wide.draft, given, narrow, facts, wide, self.compared, self.same)
        for rule in RULES:
            if rule.types & facts.types and any(keyword in wide.view for keyword in rule.keywords):
                yield from rule.check(asked)
        yield from opaque(asked)

    def _branch_by_branch(self, given: tuple[str, ...], narrow: list[Conjunct], wanted: str) -> bool:
        """Whether each alternative of an `anyOf` or `oneOf` of the narrow schema does what they do not together."""
        for one in narrow:
            for keyword in ("anyOf", "oneOf"):
                branches = [f"{one.place}/{keyword}/{n}" for n in range(len(one.view.get(keyword, ())))]
                if not branches or set(branches) & set(given):
                    continue
                if not any(self.compared((*given, branch), wanted) for branch in branches):
                    return True
        return False

    def _conjuncts(self, schema: Schema, places: Sequence[str]) -> list[Conjunct] | None:
        """The objects that all apply; None where one of them takes nothing."""
        found: list[Conjunct] = []
        waiting, seen = list(places), set[str]()
        while waiting:
            place = waiting.pop()
            if place in seen:
                continue
            seen.add(place)
            view = schema.parts[place].schema
            if view is False:
                return None
            if view is True:
                continue
            target = reference(view)
            if target is not None:
                waiting.append(target)
                if schema.draft == "7":
                    continue  # where a reference hides what stands beside it
            waiting.extend(f"{place}/allOf/{n}" for n in range(len(view.get("allOf", ()))))
            unknown = _UNKNOWN[schema.draft]
            found.append(Conjunct(place, {key: value for key, value in view.items() if key not in unknown}))
        return found

    def same(self, one: Any, other: Any) -> bool:
        """Whether two pieces of the two schemas are the same, with all that they refer to."""
        if not self.steps.take():
            return False
        if isinstance(one, dict) and isinstance(other, dict):
            if one.keys() != other.keys() or not all(self.same(value, other[key]) for key, value in one.items()):
                return False
            return reference(one) is None or self._same_part(str(reference(one)))
        if isinstance(one, list) and isinstance(other, list):
            return len(one) == len(other) and all(map(self.same, one, other))
        return equal(one, other)

    def _same_part(self, place: str) -> bool:
        if place not in self._same_parts:
            self._same_parts[place] = True
            one, other = self.narrow.parts.get(place), self.wide.parts.get(place)
            self._same_parts[place] = one is not None and other is not None and self.same(one.schema, other.schema)
        return self._same_parts[place]


def _too_large(place: str) -> Problem:
    return Problem(place, "cannot-tell", "the two schemas are too large to be compared")


def _entries(one: Conjunct) -> int:
    """What its keywords list: values, names, members."""
    return sum(len(value) for value in one.view.values() if isinstance(value, (list, dict)))
