"""The running services that the example talks to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from eskit.client import Connections, EventStore, Offsets
from eskit.errors import Unavailable
from eskit.settings import Settings

IN_FLIGHT = 32
START_S = 3.0


class StackError(Exception):
    """The stack is not there, or holds something else; the message is a sentence for a person."""


@dataclass(frozen=True)
class Stack:
    """Clients of the services."""

    crud: Connections
    events: EventStore


@asynccontextmanager
async def open_stack(config: Settings) -> AsyncIterator[Stack]:
    """Clients of services that have said they are ready; raises StackError, SettingsError."""
    config.require("kafka_bootstrap")  # for the tree: known now, not after a long import
    # A service that restarts in the middle of an import is waited for; one that is not there at the start is not.
    async with (
        # One more than the workers, which never leave theirs: else the bookmark would wait until they are done.
        Connections(config.crud_url, patience_s=60, connections=IN_FLIGHT + 1) as crud,
        EventStore(config.eventstore_url, patience_s=60) as events,
        Offsets(config.offsets_url) as offsets,
    ):
        await _ready(crud, f"the CRUD service at {config.crud_url}")
        await _ready(events, f"the event store at {config.eventstore_url}")
        await _ready(offsets, f"the offsets service at {config.offsets_url}")
        yield Stack(crud, events)


async def _ready(client: Connections | EventStore | Offsets, what: str) -> None:
    try:
        await client.wait_until_ready(START_S)
    except Unavailable as error:
        raise StackError(f"{what} does not answer: is `make run` running? ({error.detail})") from error
