"""Who has which e-mail address: one reservation for each, so that no two users get the same.

The only thing that a store of events decides for certain is the next version of one stream. Two users are two streams,
so nothing in them can exclude each other; a list of users says what was, not what is being written. So an address is
an entity of its own, and its stream decides.

A user gets an address in three steps, each a write to one stream:

1. the user's record says which address it wishes for;
2. the reservation of the address names the user;
3. the record says that the user has the address, if it still has the wish of step 1.

A process may die between any two. Then the reservation names somebody who neither has nor wishes for the address, and
is free; or somebody whose wish is old, and may be ended. Whoever wants to free an address reads its reservation first
and the record after it, and then writes the version of the reservation that follows the one it has read. A user who
makes a new wish meanwhile must write this version, too (step 2 always writes): one of the two is first, the other
begins anew. And a process that wakes up after its wish was ended finds that in the record, in step 3, and has nothing.
"""

from __future__ import annotations

from eskit.client import Connections, Entities, Entity
from eskit.errors import Deleted, NotFound, PreconditionFailed
from examples.users.model import WISH_S, EmailTaken, Record, Reservation, Wish, reservation_id

USER = "users.User"
TRIES = 10


class Addresses:
    """Reserve addresses and free them. `wish_s`: how old a wish has to be before somebody else may end it."""

    def __init__(self, crud: Connections, wish_s: float = WISH_S) -> None:
        self.records: Entities[Record] = Entities(crud, USER, Record)
        self._reservations: Entities[Reservation] = Entities(crud, "users.Email", Reservation)
        self._wish_s = wish_s

    async def reserve(self, wish: Wish, user: str) -> None:
        """Step 2, for a wish that is in the user's record; raises EmailTaken."""
        ident, ours = reservation_id(wish.email), Reservation(user, wish.id)
        for _ in range(TRIES):
            try:
                await self._reservations.create(ours, ident=ident)
            except PreconditionFailed:
                held = await self._held(ident)
                if held is None:
                    continue
                owner = held.document.user
                if owner != user and not await self._is_free(wish.email, owner):
                    raise EmailTaken(f"{wish.email} belongs to somebody else", field="email") from None
                try:
                    await self._reservations.put(ident, ours, version=held.version)
                except (PreconditionFailed, Deleted):
                    continue
            return
        raise EmailTaken(f"Many want {wish.email} right now", field="email")

    async def release(self, email: str, user: str) -> None:
        """Free what a user had, if it is as it seems. Not doing it costs the next one who asks a look."""
        held = await self._held(reservation_id(email))
        if held is None or held.document.user != user or not await self._is_free(email, user):
            return
        try:
            await self._reservations.delete(held.id, version=held.version)
        except (PreconditionFailed, Deleted):
            return

    async def owner(self, email: str) -> Entity[Record]:
        """The user with an address; raises NotFound. What is reserved counts, so it is never a little late."""
        held = await self._held(reservation_id(email))
        if held is not None:
            found = await self._record(held.document.user)
            if found is not None and found.document.has(email):
                return found
        raise NotFound(f"Nobody has the address {email}", field="email")

    async def withdraw(self, wish: Wish, user: str) -> None:
        """End a wish that cannot be fulfilled, if it is still open."""
        found = await self._record(user)
        if found is not None and found.document.wishes(wish):
            await self._give_up(found)

    async def _give_up(self, found: Entity[Record]) -> bool:
        """End a user's wish; a record that never had an address goes with it. False when the record has changed."""
        try:
            if found.document.email:
                operations = [{"op": "remove", "path": "/wish"}]
                await self.records.patch(found.id, operations, version=found.version)
            else:
                await self.records.delete(found.id, version=found.version)
        except (PreconditionFailed, Deleted):
            return False
        return True

    async def _is_free(self, email: str, owner: str) -> bool:
        """Whether a reservation that names somebody means nothing, or does not any more."""
        found = await self._record(owner)
        if found is None:
            return True
        record = found.document
        if record.has(email):
            return False
        if not record.wishes_for(email):
            return True
        return bool(record.wish and record.wish.age_s >= self._wish_s) and await self._give_up(found)

    async def _held(self, ident: str) -> Entity[Reservation] | None:
        try:
            return await self._reservations.get(ident)
        except (NotFound, Deleted):
            return None

    async def _record(self, user: str) -> Entity[Record] | None:
        try:
            return await self.records.get(user)
        except (NotFound, Deleted):
            return None
