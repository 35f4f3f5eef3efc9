"""What rules are asked and what they answer, when two schemas are compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

from crud_svc.types.facts import Facts, View

Reason = Literal["stricter", "cannot-tell"]


class Problem(NamedTuple):
    """Where the wide schema may refuse what the narrow one takes: a JSON pointer into the wide one."""

    place: str
    reason: Reason
    message: str


class Conjunct(NamedTuple):
    """A schema object among those that all apply to a value; `$ref` and `allOf` are followed already."""

    place: str
    view: View


class Asked(NamedTuple):
    """What a rule is asked: does all that is given imply what an object of the wide schema says by the rule's keywords?

    `given` are places of the narrow schema, `narrow` what applies by them, `facts` what that says together. `compared`
    asks the whole question of other places; `same` tells whether two pieces of the two schemas are the same.
    """

    draft: str
    given: tuple[str, ...]
    narrow: list[Conjunct]
    facts: Facts
    wide: Conjunct
    compared: Callable[[Sequence[str], str], list[Problem]]
    same: Callable[[Any, Any], bool]

    def stricter(self, keyword: str, message: str) -> Problem:
        """The wide schema demands something that the narrow one does not."""
        return Problem(f"{self.wide.place}/{keyword}", "stricter", message)

    def unclear(self, keyword: str, message: str) -> Problem:
        """It may or may not."""
        return Problem(f"{self.wide.place}/{keyword}", "cannot-tell", message)
