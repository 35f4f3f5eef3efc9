"""Types as they are kept: entities of a type of ESKIT's own, each a schema with its compatibility mode."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from crud_svc.documents.difference import Document
from crud_svc.documents.state import State
from crud_svc.entities.target import Target
from eskit import names
from eskit.types import Mode


class Record(msgspec.Struct, frozen=True):
    """One version of a type. The versions count 1, 2, 3 …, as those of any entity."""

    entity_type: str
    version: int
    schema: dict[str, Any]
    compatibility: Mode
    position: int
    modified_us: int


def target(entity_type: str) -> Target:
    """Where a type is kept: under its name, as an entity that no user can write."""
    return Target(names.TYPES, entity_type)


def document(schema: Document, compatibility: Mode) -> Document:
    """What is kept of it."""
    return {"schema": schema, "compatibility": compatibility}


def record(entity_type: str, state: State) -> Record | None:
    """The type as of a state; None where there is none."""
    if state.document is None:
        return None
    kept = state.document
    mode = cast("Mode", kept["compatibility"])
    return Record(entity_type, state.version, kept["schema"], mode, state.position, state.modified_us)
