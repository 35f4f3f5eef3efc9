"""What a write may require of the state it meets."""

from __future__ import annotations

from crud_svc.documents.state import State
from eskit.errors import PreconditionFailed
from eskit.web.etags import IF_MATCH, IF_NONE_MATCH, Tags


def require(wanted: Tags, state: State) -> None:
    """Raise PreconditionFailed unless the entity is at one of the wanted versions."""
    if not wanted.name(state.version):
        raise PreconditionFailed(f"It is at version {state.version} by now", field=IF_MATCH, version=state.version)


def require_none(state: State) -> None:
    """Raise PreconditionFailed for an entity that exists. A deleted one does not."""
    if state.alive:
        message = f"It exists already, at version {state.version}"
        raise PreconditionFailed(message, field=IF_NONE_MATCH, version=state.version)


def require_never_deleted(what: str, state: State) -> None:
    """Raise Deleted for an entity that was deleted."""
    if state.deleted_at:
        state.require(what)
