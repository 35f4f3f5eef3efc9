"""The parameters that say which events of the log are wanted."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from eskit import names
from eskit.selectors import Selector
from eskit.web.queries import MAX_POSITION
from eventstore_svc.store import Filter

Position = Annotated[int, Meta(ge=1, le=MAX_POSITION)]


class FilterQuery(msgspec.Struct, kw_only=True):
    """All of them must fit."""

    selector: Annotated[str, Meta(description="`*`, `User.*`, `User.Created`, `*.Deleted`, or several.")] = "*"
    entity_type: Annotated[str, Meta(description="Only events of this entity type.")] | None = None
    correlation_id: (
        Annotated[str, Meta(min_length=1, max_length=4096, description="Only events of one chain of causes.")] | None
    ) = None

    def filter(self, event_id: UUID | None = None) -> Filter:
        """As the store takes it; raises InvalidRequest."""
        kind = self.entity_type if self.entity_type is None else names.entity_type(self.entity_type)
        return Filter(
            selector=Selector(self.selector), entity_type=kind, correlation_id=self.correlation_id, event_id=event_id
        )
