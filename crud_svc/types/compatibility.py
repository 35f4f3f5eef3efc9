"""Compatibility of a schema with the one before it: whether one takes what the other takes, as the mode wants."""

from __future__ import annotations

from typing import Literal

import msgspec

from crud_svc.types.asking import Reason
from crud_svc.types.containment import Containment
from crud_svc.types.schemas import Schema
from crud_svc.types.violations import cut

Mode = Literal["none", "backward", "forward", "full"]
"""What a new version of a schema must be towards the present one.

`backward`: it takes every document that the present one takes, so that what is stored stays valid. `forward`: the
present one takes every document that it takes, so that readers who know the present one can read what comes.
`full`: both.
"""
Direction = Literal["backward", "forward"]

MAX_LISTED = 50


class Incompatibility(msgspec.Struct, frozen=True):
    """A place that may refuse what the other schema takes.

    `pointer`: a JSON pointer into the schema that refuses: the new one if `direction` is backward, else the present
    one. `reason`: `stricter` where that schema demands what the other does not; `cannot-tell` where it has keywords
    that are only compared in part.
    """

    direction: Direction
    pointer: str
    reason: Reason
    message: str


_DIRECTIONS: dict[str, tuple[Direction, ...]] = {
    "none": (),
    "backward": ("backward",),
    "forward": ("forward",),
    "full": ("backward", "forward"),
}


def incompatibilities(present: Schema, new: Schema, mode: Mode) -> list[Incompatibility]:
    """What speaks against the new schema; nothing where it is compatible. The first fifty are enough to tell."""
    found: list[Incompatibility] = []
    for direction in _DIRECTIONS[mode]:
        narrow, wide = (present, new) if direction == "backward" else (new, present)
        found.extend(
            Incompatibility(direction, cut(problem.place), problem.reason, cut(problem.message))
            for problem in Containment(narrow, wide).problems()
        )
    return found[:MAX_LISTED]
