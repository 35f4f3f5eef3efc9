"""Fuzz a CRUD service, then look at every entity that it has: as it is read, and as its events say."""

from __future__ import annotations

import asyncio
from collections import Counter

import psycopg

from crud_svc import database
from crud_svc.entities.reading import Reader
from crud_svc.entities.target import Target
from eskit.settings import Settings
from eventstore_svc.store import Fetcher, open_event_store
from tests.fuzz.crud_requests import CrudMaker
from tests.fuzz.ledger import WHOLE, Fault
from tests.fuzz.sending import Service, send

STREAMS = "SELECT DISTINCT entity_type, originator_id FROM events WHERE entity_type ~ '^[A-Za-z_.0-9]+$'"
OWN = ("Created", "Updated", "Deleted", "Restored")


def run(total: int, seed: int) -> str:
    """All of it, in a sentence; raises Fault."""
    with Service("crud_svc", "crud_port") as service:
        statuses = send(service, total, CrudMaker(seed), lambda *_: None)
        service.end()
        events, entities = asyncio.run(compare(service.config))
    shown = ", ".join(f"{status or 'closed'}: {count}" for status, count in sorted(Counter(statuses).items()))
    return f"seed {seed}: {total} requests, {shown}; {events} events, {entities} entities read as their events say"


async def compare(config: Settings) -> tuple[int, int]:
    """How many events and entities there are; raises Fault where what is read is not what the events say."""
    with psycopg.connect(config.database_url, options="-c search_path=eventstore") as owner:
        if owner.execute(WHOLE).fetchone() != (True, True, True):
            raise Fault("positions, versions or outbox have holes")
        count = owner.execute("SELECT count(*) FROM events").fetchone()
        targets = [Target(*row) for row in owner.execute(STREAMS)]
    async with open_event_store(config, "fuzz") as store, database.open_pool(config) as pool:
        reader = Reader(Fetcher(pool, "crud_svc"), store, lambda *_, **__: None)
        for target in targets:
            state, whole = await reader.state(target), await reader.refolded(target)
            if (state.version, state.deleted_at, state.alive) != (whole.version, whole.deleted_at, whole.alive):
                raise Fault(f"{target} is read as {state}, its events say {whole}")
            if (state.alive or state.deleted_at) and state.body() != whole.body():
                raise Fault(f"{target} is read as {state.body()!r}, its events say {whole.body()!r}")
    return (count or (0,))[0], len(targets)
