"""Client of the CRUD service: what has become of the entities of one type, and when, and by whom."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Unpack

import msgspec

from eskit.client.event_types import Direction
from eskit.client.http import Answer, Connections, Limits, query, segment
from eskit.client.service import ServiceClient
from eskit.entities import Blame, HistoryEvent, HistoryPage

_history = msgspec.json.Decoder(HistoryPage)
_blame = msgspec.json.Decoder(Blame)
_operations = msgspec.json.Decoder(list[dict[str, Any]])


class EntityHistory(ServiceClient):
    """Who changed what in the entities of one type. Deleted ones have a history, too."""

    service = "the CRUD service"

    def __init__(self, at: str | Connections, entity_type: str, **limits: Unpack[Limits]) -> None:
        super().__init__(at, **limits)
        self.entity_type = entity_type
        self._all = f"/v1/entities/{segment(entity_type)}"

    async def history(
        self,
        ident: str,
        *,
        from_version: int | None = None,
        limit: int = 100,
        direction: Direction = "forward",
        field: str | None = None,
    ) -> HistoryPage:
        """A page of the history, by default oldest first; `field`: only what changed it (a JSON pointer).

        Raises NotFound.
        """
        asked = query(from_version=from_version, limit=limit, direction=direction, field=field)
        return await self.read(_history, self.call("GET", f"{self._one(ident)}/history{asked}"))

    async def whole_history(
        self, ident: str, *, direction: Direction = "forward", field: str | None = None
    ) -> AsyncIterator[HistoryEvent]:
        """Every event of an entity, page by page; as `history` says."""
        page = await self.history(ident, direction=direction, field=field)
        while True:
            for event in page.events:
                yield event
            if page.next is None:
                return
            page = await self.history(ident, from_version=page.next, direction=direction, field=field)

    async def blame(self, ident: str, *, version: int | None = None) -> Blame:
        """Which version set each field of the document, as it is or as it was at a version; raises NotFound."""
        return await self.read(_blame, self.call("GET", f"{self._one(ident)}/blame{query(version=version)}"))

    async def diff(self, ident: str, from_version: int, to_version: int | None = None) -> list[dict[str, Any]]:
        """The JSON Patch that leads from one version to another, by default to the present one; raises NotFound."""
        return await self.read(_operations, self._diff(ident, from_version, to_version, "json-patch"))

    async def diff_as_text(self, ident: str, from_version: int, to_version: int | None = None) -> str:
        """The same as lines for people."""
        return (await self._diff(ident, from_version, to_version, "text")).body.decode()

    async def _diff(self, ident: str, from_version: int, to_version: int | None, form: str) -> Answer:
        asked = query(**{"from": from_version, "to": to_version}, format=form)
        return await self.call("GET", f"{self._one(ident)}/diff{asked}")

    def _one(self, ident: str) -> str:
        return f"{self._all}/{segment(ident)}"
