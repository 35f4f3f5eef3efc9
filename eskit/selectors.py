"""Selectors: `*`, `User.*`, `User.Created`, `*.Deleted`, or a comma-separated list of them."""

from __future__ import annotations

from typing import NamedTuple

from eskit import names
from eskit.errors import InvalidRequest

MAX_TERMS = 100


class Term(NamedTuple):
    """One choice of a selector; None stands for any."""

    entity_type: str | None
    action: str | None


class Selector:
    """Which events are wanted. `*` and the empty list want all."""

    def __init__(self, text: str = "*", field: str = "selector") -> None:
        """Parse; raises InvalidRequest that names `field` and the term at fault."""
        self.text = text
        terms = [_term(part.strip(), field) for part in text.split(",")]
        if len(terms) > MAX_TERMS:
            raise InvalidRequest(f"{field} has {len(terms)} terms, {MAX_TERMS} are allowed", field=field)
        everything = Term(None, None)
        self.terms: tuple[Term, ...] = () if everything in terms else tuple(dict.fromkeys(terms))

    def matches(self, entity_type: str, action: str) -> bool:
        """Whether an event of this entity type and action is wanted."""
        if not self.terms:
            return True
        return any(t.entity_type in {None, entity_type} and t.action in {None, action} for t in self.terms)

    def __repr__(self) -> str:
        return f"Selector({self.text!r})"


def _term(text: str, field: str) -> Term:
    if text == "*":
        return Term(None, None)
    kind, dot, action = text.rpartition(".")
    if not dot or not kind or not action:
        wanted = "`*`, `User.*`, `User.Created`, `*.Deleted` or a comma-separated list of them"
        raise InvalidRequest(f"{field}: `{text}` is none of {wanted}", field=field)
    return Term(
        None if kind == "*" else names.entity_type(kind, field),
        None if action == "*" else names.event_type(f"X.{action}", field).action,
    )
