"""Many writers at once, for the tests of the promises."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from eskit.errors import EskitError, VersionConflict
from eskit.ids import uuid7
from eskit.names import event_type
from eventstore_svc.store import NEXT, EventStore, NewEvent, Recorded


def new_event(ident: str, wanted: int = NEXT, payload: bytes = b"{}", kind: str = "Thing.Changed") -> NewEvent:
    """One valid event."""
    return NewEvent(
        event_id=uuid7(),
        id_is_given=False,
        type=event_type(kind),
        originator_id=ident,
        wanted=wanted,
        payload=payload,
        metadata=b"{}",
    )


async def load(store: EventStore, total: int, writers: int = 64, streams: int = 500) -> list[Recorded]:
    """Append `total` events by so many writers; what was acknowledged."""
    todo = iter(range(total))
    recorded: list[Recorded] = []

    async def write() -> None:
        for number in todo:
            recorded.extend((await store.append([new_event(f"thing-{number % streams}")])).events)

    await asyncio.gather(*(write() for _ in range(writers)))
    return recorded


async def keep_appending(
    store: EventStore, stopped: Callable[[], bool], acknowledged: list[Recorded], pause_s: float = 0
) -> None:
    """Append one after the other until stopped; failures are tried again."""
    number = 0
    while not stopped():
        event = new_event(f"thing-{number % 100}")
        try:
            acknowledged.extend((await store.append([event])).events)
            number += 1
            await asyncio.sleep(pause_s)
        except VersionConflict:
            raise
        except EskitError:
            await asyncio.sleep(0.05)
