"""What is compared: entities as the log has them, and copies kept beside it, both in the order of the streams."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import NamedTuple

from crud_svc.documents.state import Fold
from crud_svc.entities.target import Target
from crud_svc.snapshots.snapshotter import FORMAT
from eventstore_svc.store import Fetcher, Rows
from eventstore_svc.store.arrays import MICROS_2000

PAGE_ROWS = 1000
PAGE_BYTES = 4 * 1024 * 1024
# Behind every name that an entity type can have.
BEHIND_ALL = "~"


class Key(NamedTuple):
    """A version of an entity. Keys are in the order of the database's own, by bytes."""

    entity_type: str
    id: bytes
    version: int

    @property
    def target(self) -> Target:
        """The entity."""
        return Target(self.entity_type, self.id.decode())


class Scope(NamedTuple):
    """What is looked at: one type or all, as the log was at a position."""

    position: int
    only_type: str | None = None

    def first(self) -> Key:
        """Before everything."""
        return Key(self.only_type or "", b"", 0)

    def values(self, after: Key) -> dict[str, str | int]:
        """For the statements that read on."""
        return {
            "after_type": after.entity_type,
            "after_id": after.id.decode(),
            "after_version": after.version,
            "last_type": self.only_type or BEHIND_ALL,
            "position": self.position,
            "limit": PAGE_ROWS,
            "most_bytes": PAGE_BYTES,
        }


class Copy(NamedTuple):
    """What a cache says of one version: the document as a read answers it, empty where there never was one."""

    key: Key
    position: int
    modified_us: int
    deleted_at: int
    body: bytes


def difference(expected: Copy, found: Copy) -> str | None:
    """What is wrong with a copy of the same version, in words; None where nothing is."""
    wrong = []
    if found.body != expected.body:
        wrong.append(f"its document has {len(found.body)} bytes, not the {len(expected.body)} of the events")
        if len(found.body) == len(expected.body):
            wrong[-1] = "its document is not that of the events"
    if found.deleted_at != expected.deleted_at:
        wrong.append(f"deleted at version {found.deleted_at}, not {expected.deleted_at}")
    if found.position != expected.position:
        wrong.append(f"at position {found.position}, not {expected.position}")
    if found.modified_us != expected.modified_us:
        wrong.append("another time")
    return "; ".join(wrong) or None


class Log:
    """Reads the events stream by stream, and folds them."""

    def __init__(self, fetcher: Fetcher, scope: Scope) -> None:
        """`fetcher`: of this package's statements."""
        self._fetcher = fetcher
        self._scope = scope
        self._fold = Fold()
        self._key = scope.first()
        self.count = 0  # events so far
        self.last_of_stream = False

    async def keys(self) -> AsyncGenerator[Key, None]:
        """Every version of every entity; `copy` tells its state until the next one is asked for."""
        self._fold, self._key = Fold(), self._scope.first()
        # One event behind what is read: so it is known whether it is the last of its stream.
        at: tuple[Rows, int, Key] | None = None
        async for rows in _pages(self._fetcher, "verify_events", self._scope, {}):
            for row in range(len(rows)):
                key = _key(rows, row)
                if at is not None:
                    self.last_of_stream = at[2][:2] != key[:2]
                    yield self._apply(*at)
                at = rows, row, key
        if at is not None:
            self.last_of_stream = True
            yield self._apply(*at)

    def _apply(self, rows: Rows, row: int, key: Key) -> Key:
        if self._key[:2] != key[:2]:
            self._fold = Fold()
        recorded_us = rows.number(row, 4) + MICROS_2000
        self._fold.apply(key.version, rows.number(row, 3), recorded_us, rows.text(row, 5), rows.bytes(row, 6))
        self._key = key
        self.count += 1
        return key

    def copy(self) -> Copy:
        """What a cache ought to say of this version: as a snapshot of it is written."""
        state = self._fold.state()
        body = b"" if state.document is None and state.text is None else state.body()
        return Copy(self._key, state.position, state.modified_us, state.deleted_at, body)


async def snapshots(fetcher: Fetcher, scope: Scope) -> AsyncGenerator[Copy, None]:
    """All snapshots that reads may begin with."""
    async for rows in _pages(fetcher, "verify_snapshots", scope, {"format": FORMAT}):
        for row in range(len(rows)):
            modified_us = rows.number(row, 4) + MICROS_2000
            yield Copy(_key(rows, row), rows.number(row, 3), modified_us, rows.number(row, 5), rows.bytes(row, 6))


async def _pages(fetcher: Fetcher, name: str, scope: Scope, more: Mapping[str, int]) -> AsyncGenerator[Rows, None]:
    after = scope.first()
    while True:
        rows = await fetcher.fetch(name, {**scope.values(after), **more})
        if not len(rows):
            return
        yield rows
        after = _key(rows, len(rows) - 1)


def _key(rows: Rows, row: int) -> Key:
    return Key(rows.text(row, 0) or "", rows.bytes(row, 1), rows.number(row, 2))
