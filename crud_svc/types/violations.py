"""What is wrong with a document, as it is told: where in it, what, and by which place of the schema."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from crud_svc.documents.exact_json import token
from eskit.types import Violation

MAX_LISTED = 100
MAX_TEXT = 500  # characters of a message, or of a pointer


class Violations(msgspec.Struct, frozen=True):
    """All of them: the first hundred, and how many there are beside those."""

    listed: list[Violation]
    more: int = 0

    def __bool__(self) -> bool:
        return bool(self.listed)


NONE = Violations([])


def pointer(steps: Sequence[str | int]) -> str:
    """The JSON pointer of a path, cut where it is very long."""
    return "".join(f"/{token(str(step))}" for step in steps)


def cut(text: str) -> str:
    """A text as it can stand in an answer."""
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "…"
