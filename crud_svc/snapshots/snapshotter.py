"""Writes snapshots, off the path of requests: whoever had to fold long offers the state that came of it.

In the service and not in a consumer of the log: the state is at hand, so a snapshot costs one insert and no second
fold; an entity that nobody reads or writes needs none; and there is no lag in which reads would be slow.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any, Protocol

from prometheus_client import CollectorRegistry, Counter

from crud_svc.documents.state import State
from crud_svc.entities.target import Target
from eskit import logs
from eskit.errors import EskitError
from eskit.postgres.connections import Pool, use
from eskit.postgres.statements import statement

log = logs.get(__name__)

# Grows with every change of what the fold makes of events, or of how a snapshot is written.
FORMAT = 1

# A snapshot for so many events folded, and for as many bytes as the document has: all snapshots of an entity take no
# more room than its events. A large document with small patches gets one for so many events, whatever their bytes.
LEAST_EVENTS, MOST_EVENTS = 50, 2000
# Fewer events will do where they are large.
LEAST_BYTES = 1024 * 1024
# Of reads in the past: older snapshots are thinned out to one in so many versions, the newest few stay.
EVERY, NEWEST = 500, 4

# What waits to be written. Beyond it the oldest is left out: the next read offers it again.
MAX_WAITING = 1000
MAX_WAITING_BYTES = 32 * 1024 * 1024
WRITE_EVERY_S = 0.1
CLEAN_ROWS, CLEAN_S = 1000, 1.0

_WRITE = statement("crud_svc", "write_snapshots")
_PRUNE = statement("crud_svc", "prune_snapshots")
_CLEAN = statement("crud_svc", "drop_old_formats")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Offer(Protocol):
    """Takes a state that took so many events, and bytes of payloads, to fold; `latest`: the entity's present one."""

    def __call__(self, target: Target, state: State, events: int, size: int, *, latest: bool) -> None: ...


class Snapshotter:
    """Takes offers at once, writes them when its `run` comes to it. A snapshot lost is made again."""

    def __init__(self, pool: Pool, registry: CollectorRegistry) -> None:
        """Writes nothing yet."""
        self._pool = pool
        self._waiting: dict[tuple[Target, int], tuple[State, bytes]] = {}
        self._waiting_bytes = 0
        self._offered = asyncio.Event()
        self._written = Counter("eskit_crud_snapshots_written", "Snapshots of entities written.", registry=registry)

    def offer(self, target: Target, state: State, events: int, size: int, *, latest: bool) -> None:
        """As Offer says."""
        if events < (LEAST_EVENTS if latest else EVERY) and size < LEAST_BYTES:
            return
        body = b"" if state.document is None and state.text is None else state.body()
        if size < len(body) and events < MOST_EVENTS:
            return
        key = (target, state.version)
        if key in self._waiting:
            return
        self._waiting[key] = (state, body)
        self._waiting_bytes += len(body)
        while len(self._waiting) > MAX_WAITING or self._waiting_bytes > MAX_WAITING_BYTES:
            _, dropped = self._waiting.pop(next(iter(self._waiting)))
            self._waiting_bytes -= len(dropped)
        self._offered.set()

    async def run(self) -> None:
        """Write what is offered, until cancelled. While the database is away offers are lost, not kept."""
        await asyncio.gather(self._clean(), self._write_all())

    async def _write_all(self) -> None:
        while True:
            await self._offered.wait()
            await asyncio.sleep(WRITE_EVERY_S)
            self._offered.clear()
            count = len(self._waiting)
            try:
                await self.write_waiting()
                self._written.inc(count)
            except EskitError as error:
                log.warning("snapshots not written", snapshots=count, error=error.detail)
            except Exception:
                log.exception("snapshots not written", snapshots=count)

    async def write_waiting(self) -> None:
        """Write what waits; raises Unavailable, and then it is lost."""
        taken, self._waiting, self._waiting_bytes = self._waiting, {}, 0
        await self._write(taken)

    async def _write(self, taken: dict[tuple[Target, int], tuple[State, bytes]]) -> None:
        # In order: two instances that write the same rows in two orders would wait for each other.
        rows = [(target, state, body) for (target, _), (state, body) in sorted(taken.items(), key=itemgetter(0))]
        values: dict[str, Any] = {
            "format": FORMAT,
            "entity_types": [target.entity_type for target, _, _ in rows],
            "originator_ids": [target.id for target, _, _ in rows],
            "versions": [state.version for _, state, _ in rows],
            "positions": [state.position for _, state, _ in rows],
            "recorded_ats": [_EPOCH + timedelta(microseconds=state.modified_us) for _, state, _ in rows],
            "deleted_ats": [state.deleted_at for _, state, _ in rows],
            "bodies": [body.decode() or None for _, _, body in rows],
        }
        await use(self._pool, lambda connection: connection.execute(_WRITE, values))
        names = {name: values[name] for name in ("format", "entity_types", "originator_ids")}
        await use(
            self._pool, lambda connection: connection.execute(_PRUNE, {**names, "every": EVERY, "newest": NEWEST})
        )

    async def _clean(self) -> None:
        """Remove what an older program has written, once, a little at a time."""
        values = {"format": FORMAT, "limit": CLEAN_ROWS}
        removed = 1
        while removed:
            with suppress(EskitError):  # the database is away: later
                removed = (await use(self._pool, lambda connection: connection.execute(_CLEAN, values))).rowcount
            await asyncio.sleep(CLEAN_S)
