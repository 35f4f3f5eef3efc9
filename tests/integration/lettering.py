"""Letters for the tests of the offsets service, and a service to give them to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from eskit.client.letters import DeadLetters
from eskit.client.offsets import Offsets
from eskit.letters import Cause, Header, Kept, Letter, Owner, ParkedKey
from eskit.settings import Settings
from offsets_svc.app import offsets_app
from tests.services import running

TOPIC = "eskit.application-log"
CONSUMER = "billing"
CAUSE = Cause(error_type="ValueError", error="no such account", traceback_hash="0123456789abcdef", attempts=5)


class Desk(DeadLetters):
    """A client for letters, and for offsets too; it gives up soon."""

    def __init__(self, url: str, offsets: Offsets) -> None:
        super().__init__(url, patience_s=5)
        self.url = url
        self.offsets = offsets

    async def claim(self, partition: int = 0, member: str = "host") -> Owner:
        """A new claim of a partition."""
        [claim] = await self.offsets.claim(CONSUMER, TOPIC, [partition], member)
        return Owner(TOPIC, partition, claim.epoch)

    async def everything(self, **which: Any) -> list[Kept]:
        """All letters, of few."""
        return (await self.letters(CONSUMER, limit=1000, **which)).letters

    async def keys(self, **which: Any) -> list[ParkedKey]:
        """All keys, of few."""
        return (await self.parked(CONSUMER, **which)).parked


@asynccontextmanager
async def service(config: Settings) -> AsyncIterator[Desk]:
    """An offsets service, and a client of it."""
    async with (
        running(offsets_app(config), config, "offsets_port") as url,
        Offsets(url, patience_s=5) as offsets,
        Desk(url, offsets) as desk,
    ):
        yield desk


def letter(offset: int, key: str = "order-7", *, failed: bool = True, value: bytes = b"\x00what it was\xff") -> Letter:
    return Letter(
        offset=offset,
        key=key,
        failed=failed,
        position=offset + 1,
        event_type="Order.Paid",
        event_id=f"id {offset}",
        cause=CAUSE if failed else Cause(),
        value=value,
        headers=[Header("ce_type", b"Order.Paid"), Header("nothing", None)],
    )


def brief(kept: list[Kept]) -> list[tuple[int, str, bool]]:
    return [(k.offset, k.key, k.failed) for k in kept]
