"""The lease: which relay is the active one. A row with an epoch, on the database's clock."""

from __future__ import annotations

import asyncio
import time

from psycopg import AsyncConnection

from eskit.errors import EskitError
from eskit.postgres.boundary import boundary
from eskit.postgres.connections import severed_after
from eskit.postgres.statements import statement

TAKE = statement("eventstore_svc", "relay_lease_take")
RENEW = statement("eventstore_svc", "relay_lease_renew")
HOLDER = statement("eventstore_svc", "relay_lease_holder")


class LeaseLost(EskitError):
    """Another relay is or may be active: stop sending."""

    code, title = "lease-lost", "Lease lost"


class Lease:
    """Held from `take` until `valid` is False or `release`."""

    def __init__(self, holder: str, lease_s: float) -> None:
        """`holder` names this process for people."""
        self.epoch = 0
        self._holder = holder
        self._lease_s = lease_s
        self._until = 0.0  # on our own monotonic clock, counted from before the database was asked: never too late

    @property
    def valid(self) -> bool:
        """Whether nobody else can be active yet. A process that was stopped and woken up finds out here."""
        return time.monotonic() < self._until

    def require(self) -> None:
        """Raises LeaseLost when somebody else may be active."""
        if not self.valid:
            raise LeaseLost(f"the lease of epoch {self.epoch} has run out")

    async def take(self, connection: AsyncConnection) -> bool:
        """Try once; False while another relay holds it."""
        asked = time.monotonic()
        with boundary():
            cursor = await connection.execute(TAKE, {"holder": self._holder, "lease_s": self._lease_s})
            row = await cursor.fetchone()
        if row is None:
            return False
        self.epoch, self._until = row[0], asked + self._lease_s
        return True

    async def holder(self, connection: AsyncConnection) -> str:
        """Who holds it, for people."""
        with boundary():
            row = await (await connection.execute(HOLDER)).fetchone()
        return f"{row[0]} (epoch {row[1]})" if row else "nobody"

    async def keep(self, connection: AsyncConnection) -> None:
        """Renew until cancelled; raises LeaseLost or Unavailable."""
        while True:
            await asyncio.sleep(self._lease_s / 3)
            asked = time.monotonic()
            # A database that stands still must not be waited for longer than the lease lasts.
            with boundary(), severed_after(connection, self._lease_s):
                cursor = await connection.execute(RENEW, {"epoch": self.epoch, "lease_s": self._lease_s})
                if await cursor.fetchone() is None:
                    self._until = 0.0
                    raise LeaseLost(f"another relay has taken over from epoch {self.epoch}")
            self._until = asked + self._lease_s

    async def release(self, connection: AsyncConnection) -> None:
        """Let a standby take over at once."""
        self._until = 0.0
        with boundary():
            await connection.execute(RENEW, {"epoch": self.epoch, "lease_s": 0})
