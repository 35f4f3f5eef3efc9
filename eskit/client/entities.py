"""Client of the CRUD service: JSON objects with versions and full history."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from eskit.client.http import Answer, ServiceClient, segment
from eskit.ids import uuid7

T = TypeVar("T")

Version = int | Literal["*"]
"""The version a write is based on; `*`: whatever it is at."""

_PATCHES = {False: "application/json-patch+json", True: "application/merge-patch+json"}


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What a write says about its event. `key`: made up for each write unless given; the same key is stored once."""

    key: str | None = None
    user: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    metadata: Mapping[str, str] | None = None
    occurred_on: datetime | None = None

    def headers(self) -> dict[str, str]:
        """As the service takes them."""
        given = {
            "Idempotency-Key": self.key or str(uuid7()),
            "Eskit-User": self.user,
            "Eskit-Correlation-Id": self.correlation_id,
            "Eskit-Causation-Id": self.causation_id,
            "Eskit-Metadata": None if self.metadata is None else json.dumps(dict(self.metadata)),
            "Eskit-Occurred-On": None if self.occurred_on is None else self.occurred_on.isoformat(),
        }
        return {name: value for name, value in given.items() if value is not None}


class Written(msgspec.Struct, frozen=True):
    """Where an entity stands after a write; `position` is that of its last event in the log."""

    id: str
    version: int
    position: int


class Entity(msgspec.Struct, frozen=True):
    """An entity as it was read."""

    id: str
    version: int
    position: int
    body: bytes  # the document as JSON, numbers as they were sent

    @property
    def document(self) -> Any:
        """The document, decoded."""
        return msgspec.json.decode(self.body)

    def to(self, kind: type[T]) -> T:
        """The document as a dataclass or msgspec.Struct; raises msgspec.ValidationError."""
        return msgspec.json.decode(self.body, type=kind)


class FieldChange(msgspec.Struct, frozen=True):
    """One field that an event changed: a JSON pointer, and its value before and after; UNSET where there was none."""

    path: str
    old: Any | UnsetType = UNSET
    new: Any | UnsetType = UNSET


class HistoryEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event of an entity."""

    version: int
    position: int
    event_id: str
    event_type: str
    action: str
    user: str | None
    correlation_id: str | None
    causation_id: str | None
    metadata: dict[str, str]
    occurred_on: datetime
    recorded_at: datetime
    changes: list[FieldChange]


class HistoryPage(msgspec.Struct, frozen=True):
    """A page of a history; `next` is the `from_version` to go on with, None at the end."""

    events: list[HistoryEvent]
    next: int | None


_written = msgspec.json.Decoder(Written)
_history = msgspec.json.Decoder(HistoryPage)


class Entities(ServiceClient):
    """Create, read, change and delete entities. A write that is repeated after a lost answer is stored once.

    A document is anything that msgspec encodes to a JSON object, or bytes that are one.
    """

    async def create(
        self, entity_type: str, document: Any, *, ident: str | None = None, about: About | None = None
    ) -> Written:
        """A new entity, its id made up unless given; raises PreconditionFailed when it exists."""
        if ident is None:
            path = f"/v1/entities/{segment(entity_type)}"
            return await self._write("POST", path, document, about)
        return await self._write("PUT", _path(entity_type, ident), document, about, {"If-None-Match": "*"})

    async def put(
        self, entity_type: str, ident: str, document: Any, *, version: Version, about: About | None = None
    ) -> Written:
        """Another document in place of the present one; raises NotFound, Deleted, PreconditionFailed."""
        return await self._write("PUT", _path(entity_type, ident), document, about, _match(version))

    async def patch(
        self,
        entity_type: str,
        ident: str,
        patch: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        version: Version,
        about: About | None = None,
    ) -> Written:
        """A JSON Merge Patch (a mapping) or a JSON Patch (a list of operations); raises PatchFailed too."""
        kind = {"Content-Type": _PATCHES[isinstance(patch, Mapping)]}
        return await self._write("PATCH", _path(entity_type, ident), patch, about, _match(version) | kind)

    async def delete(self, entity_type: str, ident: str, *, version: Version, about: About | None = None) -> int:
        """End an entity; the position of its deletion. Raises NotFound, Deleted, PreconditionFailed."""
        headers = (about or About()).headers() | _match(version)
        return _position(await self.call("DELETE", _path(entity_type, ident), headers=headers))

    async def get(self, entity_type: str, ident: str, *, version: int | None = None) -> Entity:
        """The entity as it is, or as it was at a version; raises NotFound, Deleted."""
        query = "" if version is None else f"?version={version}"
        answer = await self.call("GET", _path(entity_type, ident) + query)
        return Entity(ident, int(answer.headers["ETag"].strip('"')), _position(answer), answer.body)

    async def history(self, entity_type: str, ident: str, *, from_version: int = 1, limit: int = 100) -> HistoryPage:
        """A page of the history, oldest first; raises NotFound."""
        query = f"?from_version={from_version}&limit={limit}"
        return _history.decode((await self.call("GET", f"{_path(entity_type, ident)}/history{query}")).body)

    async def whole_history(self, entity_type: str, ident: str) -> AsyncIterator[HistoryEvent]:
        """Every event of an entity, page by page."""
        first: int | None = 1
        while first is not None:
            page = await self.history(entity_type, ident, from_version=first)
            for event in page.events:
                yield event
            first = page.next

    async def _write(
        self, method: str, path: str, content: Any, about: About | None, headers: Mapping[str, str] | None = None
    ) -> Written:
        body = content if isinstance(content, bytes) else msgspec.json.encode(content)
        given = {"Content-Type": "application/json", **(about or About()).headers(), **(headers or {})}
        return _written.decode((await self.call(method, path, body=body, headers=given)).body)


def _path(entity_type: str, ident: str) -> str:
    return f"/v1/entities/{segment(entity_type)}/{segment(ident)}"


def _match(version: Version) -> dict[str, str]:
    return {"If-Match": version if version == "*" else f'"{version}"'}


def _position(answer: Answer) -> int:
    return int(answer.headers["Eskit-Position"])
