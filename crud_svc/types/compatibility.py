"""Compatibility of a schema with the one before it: whether one takes what the other takes, as the mode wants."""

from __future__ import annotations

from typing import Literal

from crud_svc.types.containment import Containment
from crud_svc.types.schemas import Schema
from crud_svc.types.violations import cut
from eskit.types import Incompatibility, Mode

Direction = Literal["backward", "forward"]

MAX_LISTED = 50


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
