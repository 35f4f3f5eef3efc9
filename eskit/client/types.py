"""Client of the CRUD service: the JSON Schemas that entities are held against, and the indexes of their lists."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import msgspec

from eskit.client.about import NOTHING_SAID, About, match
from eskit.client.http import query, segment
from eskit.client.service import JSON, ServiceClient
from eskit.entities import HistoryPage
from eskit.errors import PreconditionFailed
from eskit.types import Checked, IndexAnswer, IndexesAnswer, Mode, TypeAnswer, TypesPage, TypeWritten

CHECK_S = 600.0
TRIES = 10

_written = msgspec.json.Decoder(TypeWritten)
_type = msgspec.json.Decoder(TypeAnswer)
_page = msgspec.json.Decoder(TypesPage)
_history = msgspec.json.Decoder(HistoryPage)
_checked = msgspec.json.Decoder(Checked)
_index = msgspec.json.Decoder(IndexAnswer)
_indexes = msgspec.json.Decoder(IndexesAnswer)

Schema = Mapping[str, Any]


class Types(ServiceClient):
    """Register types, give them new versions, look at them. A write repeated after a lost answer is stored once."""

    service = "the CRUD service"

    async def register(
        self, entity_type: str, schema: Schema, *, compatibility: Mode | None = None, about: About = NOTHING_SAID
    ) -> TypeWritten:
        """A new type; raises PreconditionFailed when it is there."""
        headers = {"If-None-Match": "*"} | about.headers()
        return await self._put(_path(entity_type), schema, compatibility, headers)

    async def update(
        self,
        entity_type: str,
        schema: Schema,
        *,
        version: int,
        compatibility: Mode | None = None,
        about: About = NOTHING_SAID,
    ) -> TypeWritten:
        """The next version of a type, based on this one; raises NotFound, PreconditionFailed, IncompatibleSchema.

        `compatibility`: as it was, unless given.
        """
        return await self._put(_path(entity_type), schema, compatibility, match(version) | about.headers())

    async def ensure(
        self, entity_type: str, schema: Schema, *, compatibility: Mode | None = None, about: About = NOTHING_SAID
    ) -> TypeWritten:
        """Register it, or give it a new version if it is not like this: for each start of a program.

        Raises IncompatibleSchema, and PreconditionFailed when others change it again and again.
        """
        path, headers = f"{_path(entity_type)}?skip_duplicate=true", {"If-None-Match": "*"}
        for _ in range(TRIES - 1):
            try:
                return await self._put(path, schema, compatibility, headers | about.headers())
            except PreconditionFailed as error:
                headers = match(error.extra["version"])
        return await self._put(path, schema, compatibility, headers | about.headers())

    async def get(self, entity_type: str, *, version: int | None = None) -> TypeAnswer:
        """A type as it is, or at a version; raises NotFound."""
        return await self.read(_type, self.call("GET", _path(entity_type) + query(version=version)))

    async def list(self, *, limit: int = 20, after: str | None = None) -> TypesPage:
        """A page of types, in the order of their names."""
        return await self.read(_page, self.call("GET", f"/v1/types{query(limit=limit, after=after)}"))

    async def all(self) -> AsyncIterator[TypeAnswer]:
        """Every type."""
        page = await self.list()
        while True:
            for one in page.types:
                yield one
            if page.next is None:
                return
            page = await self.list(after=page.next)

    async def history(self, entity_type: str, *, from_version: int | None = None, limit: int = 100) -> HistoryPage:
        """The versions of a type: who made each, and what it changed; raises NotFound."""
        asked = query(from_version=from_version, limit=limit)
        return await self.read(_history, self.call("GET", f"{_path(entity_type)}/history{asked}"))

    async def check(
        self, entity_type: str, schema: Schema, *, compatibility: Mode | None = None, longer_s: float = CHECK_S
    ) -> Checked:
        """How many stored entities a schema would not take; nothing is changed. All of them are looked at."""
        path, body = f"{_path(entity_type)}:check", _body(schema, compatibility)
        return await self.read(_checked, self.call("POST", path, body=body, headers=JSON, longer_s=longer_s))

    async def indexes(self, entity_type: str) -> Sequence[IndexAnswer]:
        """By which fields lists of a type may filter and sort, however many entities there are."""
        return (await self.read(_indexes, self.call("GET", f"{_path(entity_type)}/indexes"))).indexes

    async def declare_index(self, entity_type: str, *fields: str) -> IndexAnswer:
        """Have an index built: `declare_index("User", "city", "-age")`; `indexes` tells when it is ready."""
        body = msgspec.json.encode({"fields": fields})
        return await self.read(_index, self.call("POST", f"{_path(entity_type)}/indexes", body=body, headers=JSON))

    async def drop_index(self, entity_type: str, name: str) -> None:
        """Do without an index; raises NotFound."""
        await self.call("DELETE", f"{_path(entity_type)}/indexes/{segment(name)}")

    async def _put(
        self, path: str, schema: Schema, compatibility: Mode | None, headers: Mapping[str, str]
    ) -> TypeWritten:
        body = _body(schema, compatibility)
        return await self.read(_written, self.call("PUT", path, body=body, headers={**JSON, **headers}))


def _path(entity_type: str) -> str:
    return f"/v1/types/{segment(entity_type)}"


def _body(schema: Schema, compatibility: Mode | None) -> bytes:
    return msgspec.json.encode({"schema": schema} | ({} if compatibility is None else {"compatibility": compatibility}))
