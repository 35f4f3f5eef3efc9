"""Which events of the log somebody wants: asked of PostgreSQL, or of an event in memory."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

import msgspec

from eskit.selectors import Selector
from eventstore_svc.store.fetching import Value
from eventstore_svc.store.reads import selected


class Fresh(NamedTuple):
    """An event just read, with what a filter looks at."""

    position: int
    event_id: str
    entity_type: str
    action: str
    correlation_id: str | None
    json: bytes


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which events of the log are wanted: all that fit every field."""

    selector: Selector = Selector()
    entity_type: str | None = None
    correlation_id: str | None = None
    event_id: UUID | None = None

    @property
    def looked_up(self) -> bool:
        """Whether an index finds them."""
        return self.correlation_id is not None or self.event_id is not None

    @property
    def everything(self) -> bool:
        """Whether all events are."""
        return not (self.selector.terms or self.entity_type or self.looked_up)

    def matches(self, event: Fresh) -> bool:
        """Whether an event is wanted."""
        return (
            self.selector.matches(event.entity_type, event.action)
            and self.entity_type in {None, event.entity_type}
            and self.correlation_id in {None, event.correlation_id}
            and (self.event_id is None or str(self.event_id) == event.event_id)
        )

    def parameters(self) -> dict[str, Value]:
        """As the statements take it."""
        return {
            **selected(self.selector),
            "entity_type": self.entity_type,
            "correlation_id": self.correlation_id,
            "event_id": self.event_id,
            "correlates_with": _as_uuid(self.correlation_id),
        }


def _as_uuid(text: str | None) -> UUID | None:
    """The event id that a correlation id is, where it is one in the form we make."""
    try:
        found = UUID(text or "")
    except ValueError:
        return None
    return found if str(found) == text else None
