"""Client of the CRUD service: the entities of one type, as objects of a class, with versions and full history."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar, Unpack, overload

import msgspec
from msgspec import UNSET

from eskit.client import changes
from eskit.client.about import NOTHING_SAID, About, Version, match
from eskit.client.documents import Shape
from eskit.client.history import EntityHistory
from eskit.client.http import Answer, Connections, Limits, query
from eskit.client.lists import EVERYTHING, Entity, Page, Query
from eskit.client.service import JSON
from eskit.entities import ListAnswer, ListedEntity, Written
from eskit.errors import PreconditionFailed

T = TypeVar("T")

UPDATE_TRIES = 10
UPDATE_PAUSE_S = 0.01

_PATCHES = {
    False: {"Content-Type": "application/json-patch+json"},
    True: {"Content-Type": "application/merge-patch+json"},
}

_written = msgspec.json.Decoder(Written)
_list = msgspec.json.Decoder(ListAnswer)


class Entities(EntityHistory, Generic[T]):
    """Create, read, change and delete the entities of one type. A write repeated after a lost answer is stored once.

    `async with Entities("http://127.0.0.1:8002", "User", User) as users`, or on Connections that are open already.
    `kind` is a dataclass, a msgspec Struct, a pydantic model; without it documents are dictionaries. Where a document
    is wanted, bytes that are its JSON will do as well. Every call may raise Unavailable and InvalidRequest.
    """

    @overload
    def __init__(
        self: Entities[dict[str, Any]], at: str | Connections, entity_type: str, **limits: Unpack[Limits]
    ) -> None: ...

    @overload
    def __init__(self, at: str | Connections, entity_type: str, kind: type[T], **limits: Unpack[Limits]) -> None: ...

    def __init__(
        self, at: str | Connections, entity_type: str, kind: type[Any] = dict, **limits: Unpack[Limits]
    ) -> None:
        super().__init__(at, entity_type, **limits)
        self._shape: Shape[T] = Shape(kind)

    async def create(self, document: T | bytes, *, ident: str | None = None, about: About = NOTHING_SAID) -> Written:
        """A new entity, its id made up unless given; raises PreconditionFailed when it exists.

        Where one with this id was deleted, its history goes on.
        """
        headers = JSON | about.headers()
        if ident is None:
            answer = self.call("POST", self._all, body=self._shape.encode(document), headers=headers)
        else:
            headers["If-None-Match"] = "*"
            answer = self.call("PUT", self._one(ident), body=self._shape.encode(document), headers=headers)
        return await self.read(_written, answer)

    async def put(self, ident: str, document: T | bytes, *, version: Version, about: About = NOTHING_SAID) -> Written:
        """Another document in place of the present one; raises NotFound, Deleted, PreconditionFailed."""
        headers = JSON | about.headers() | match(version)
        answer = self.call("PUT", self._one(ident), body=self._shape.encode(document), headers=headers)
        return await self.read(_written, answer)

    async def patch(
        self,
        ident: str,
        patch: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        version: Version,
        about: About = NOTHING_SAID,
    ) -> Written:
        """A JSON Merge Patch (a mapping) or a JSON Patch (a list of operations); raises PatchFailed too."""
        headers = _PATCHES[isinstance(patch, Mapping)] | about.headers() | match(version)
        answer = self.call("PATCH", self._one(ident), body=msgspec.json.encode(patch), headers=headers)
        return await self.read(_written, answer)

    async def update(self, ident: str, change: Callable[[T], T], *, about: About = NOTHING_SAID) -> Entity[T]:
        """What `change` makes of the document, whatever others do meanwhile; the entity as it is then.

        `change` may be called several times, each time with the newest document. Only what it changed is written:
        members that the class does not know stay. When it changes nothing, nothing is stored. Raises NotFound, Deleted,
        DocumentMismatch, what `change` raises, and PreconditionFailed when others were faster ten times in a row.
        """
        for attempt in range(1, UPDATE_TRIES + 1):
            found = await self.get(ident)
            got = self._shape.plain(found.document)  # now: a change in place is a change, too
            made = self._shape.plain(change(found.document))
            operations = changes.patch(msgspec.json.decode(found.body), got, made)
            if not operations:
                return found
            headers = _PATCHES[False] | about.headers() | match(found.version) | {"Prefer": "return=representation"}
            body = msgspec.json.encode(operations)
            try:
                answer = await self.call("PATCH", self._one(ident), body=body, headers=headers)
            except PreconditionFailed:
                if attempt == UPDATE_TRIES:
                    raise
                await asyncio.sleep(random.random() * UPDATE_PAUSE_S * attempt)  # noqa: S311 - spreads retries
            else:
                return self._entity(ident, answer)
        raise AssertionError

    async def delete(self, ident: str, *, version: Version, about: About = NOTHING_SAID) -> int:
        """End an entity; the position of its deletion. Raises NotFound, Deleted, PreconditionFailed."""
        answer = await self.call("DELETE", self._one(ident), headers=about.headers() | match(version))
        with self.understood():
            return _position(answer)

    async def restore(
        self, ident: str, *, version: Version, to_version: int | None = None, about: About = NOTHING_SAID
    ) -> Written:
        """Back to the document of a version, or, without one, undo a deletion; history only grows.

        Raises NotFound, PreconditionFailed.
        """
        path = f"{self._one(ident)}/restore{query(version=to_version)}"
        return await self.read(_written, self.call("POST", path, headers=about.headers() | match(version)))

    async def get(
        self,
        ident: str,
        *,
        version: int | None = None,
        at: datetime | None = None,
        position: int | None = None,
        deleted: bool = False,
    ) -> Entity[T]:
        """The entity as it is; or as it was at a version, at a moment (recorded time), or when the log ended there.

        `deleted`: of a deleted one its last document. Raises NotFound, Deleted, DocumentMismatch.
        """
        asked = query(version=version, at=at and at.isoformat(), position=position, deleted=deleted or None)
        return self._entity(ident, await self.call("GET", self._one(ident) + asked))

    async def list(self, wanted: Query = EVERYTHING, *, limit: int = 10, cursor: str | None = None) -> Page[T]:
        """A page of the entities; raises DocumentMismatch."""
        asked = query(limit=limit, cursor=cursor, **wanted.parameters())
        answer = await self.call("GET", self._all + asked, longer_s=wanted.wait_s or 0.0)
        with self.understood():
            found = _list.decode(answer.body)
            position = answer.headers.get("Eskit-View-Position")
            return Page(
                entities=[self._listed(one) for one in found.entities],
                next=found.next,
                count=None if found.count is UNSET else found.count,
                view_position=None if position is None else int(position),
                stale=answer.headers.get("Eskit-View-Stale") == "true",
            )

    async def pages(self, wanted: Query = EVERYTHING, *, limit: int = 100) -> AsyncIterator[Page[T]]:
        """All pages of a list."""
        page = await self.list(wanted, limit=limit)
        yield page
        while page.next is not None:
            page = await self.list(wanted, limit=limit, cursor=page.next)
            yield page

    async def all(self, wanted: Query = EVERYTHING) -> AsyncIterator[Entity[T]]:
        """Every entity of a list, page by page."""
        async for page in self.pages(wanted):
            for entity in page.entities:
                yield entity

    async def ids(self, wanted: Query = EVERYTHING, *, limit: int = 1000) -> AsyncIterator[ListedEntity]:
        """Of every entity of a list the id, version and times, without documents."""
        cursor: str | None = None
        while True:
            asked = query(limit=limit, cursor=cursor, skip_payload=True, **wanted.parameters())
            page = await self.read(_list, self.call("GET", self._all + asked, longer_s=wanted.wait_s or 0.0))
            for one in page.entities:
                yield one
            if page.next is None:
                return
            cursor = page.next

    def _entity(self, ident: str, answer: Answer) -> Entity[T]:
        with self.understood():
            return Entity(
                id=ident,
                version=int(answer.headers["ETag"].strip('"')),
                position=_position(answer),
                document=self._shape.decode(answer.body),
                body=answer.body,
                deleted="Eskit-Deleted" in answer.headers,
            )

    def _listed(self, one: ListedEntity) -> Entity[T]:
        body = b"" if one.document is UNSET else bytes(one.document)
        return Entity(
            id=one.id,
            version=one.version,
            position=one.position,
            document=self._shape.decode(body),
            body=body,
            deleted=one.deleted,
        )


def _position(answer: Answer) -> int:
    return int(answer.headers["Eskit-Position"])
