"""What the CRUD service answers about types: the service encodes these shapes, its client decodes them."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Mode = Literal["none", "backward", "forward", "full"]
"""What a new version of a schema must be towards the present one.

`backward`: it takes every document that the present one takes, so that what is stored stays valid. `forward`: the
present one takes every document that it takes, so that readers who know the present one can read what comes.
`full`: both.
"""


class TypeAnswer(msgspec.Struct, frozen=True):
    """A version of a type. `recorded_at`: when it was stored."""

    type: str
    version: int
    compatibility: Mode
    schema: dict[str, Any]
    position: int
    recorded_at: str


class TypesPage(msgspec.Struct, frozen=True):
    """Types in the order of their names; `next` is the `after` of the next page, null at the end."""

    types: list[TypeAnswer]
    next: str | None


class TypeWritten(msgspec.Struct, frozen=True):
    """Where a type stands after a write; `position` is that of its last event in the log."""

    type: str
    version: int
    position: int


class Violation(msgspec.Struct, frozen=True):
    """One thing: JSON pointers into the document and into the schema. Values of the document are not repeated."""

    pointer: str
    message: str
    schema_pointer: str


class Violating(msgspec.Struct, frozen=True):
    """An entity that is not as a schema wants it: its first violations, and how many there are beside them."""

    id: str
    version: int
    violations: list[Violation]
    more: int


class Incompatibility(msgspec.Struct, frozen=True):
    """A place that may refuse what the other schema takes.

    `pointer`: a JSON pointer into the schema that refuses: the new one if `direction` is backward, else the present
    one. `reason`: `stricter` where that schema demands what the other does not; `cannot-tell` where it has keywords
    that are only compared in part.
    """

    direction: Literal["backward", "forward"]
    pointer: str
    reason: Literal["stricter", "cannot-tell"]
    message: str


class Checked(msgspec.Struct, frozen=True):
    """What a schema would mean: entities looked at, those that violate it, the first 20 of these.

    `incompatibilities` with the type's present schema: with any, putting it would be refused.
    """

    checked: int
    violating: int
    first: list[Violating]
    incompatibilities: list[Incompatibility]


IndexState = Literal["ready", "waiting", "unknown"]


class IndexAnswer(msgspec.Struct, frozen=True):
    """A declared index. `waiting`: it is not built yet; `unknown`: the entity view does not say."""

    name: str
    fields: list[str]
    state: IndexState


class IndexesAnswer(msgspec.Struct, frozen=True):
    """The declared indexes of a type."""

    indexes: list[IndexAnswer]
