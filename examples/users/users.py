"""What the service does: sign up, look up, change, list, delete."""

from __future__ import annotations

from msgspec import UNSET
from msgspec.structs import replace

from eskit.client import Connections, Entity, Page, Query, Types
from eskit.errors import Conflict, Deleted, EventIdReused, NotFound, PreconditionFailed
from eskit.ids import from_key, uuid7
from examples.users.addresses import USER, Addresses
from examples.users.model import WISH_S, EmailTaken, NewUser, Record, UserChange, Wish, same

# What the lists sort and filter by, however many users there are.
INDEXES = (("last_name",), ("active", "last_name"))


async def declare_indexes(crud: Connections) -> None:
    """Have them built, if nobody has yet."""
    for fields in INDEXES:
        await Types(crud).declare_index(USER, *fields)


class Users:
    """Any number of these may work at once, in any number of processes: all they know is in the stores."""

    def __init__(self, crud: Connections, wish_s: float = WISH_S) -> None:
        """`wish_s`: how old a sign-up that is not over has to be before another one may have its address."""
        self._addresses = Addresses(crud, wish_s)
        self._records = self._addresses.records

    async def create(self, new: NewUser, key: str | None = None) -> Entity[Record]:
        """A new user; the same key again makes the same one. Raises EmailTaken, EventIdReused, Deleted."""
        ident = str(uuid7() if key is None else from_key(key))
        wish = Wish.of(new.email)
        record = Record(
            first_name=new.first_name,
            last_name=new.last_name,
            active=new.active,
            workspaces=new.workspaces,
            wish=wish,
        )
        try:
            await self._records.create(record, ident=ident)
        except PreconditionFailed:  # by the same key, and perhaps not to its end
            found = await self._records.get(ident)
            if found.document.email is not UNSET:
                return _the_same(found, new)
            await self._records.update(ident, lambda old: record if old.email is UNSET else old)
        return await self._fulfil(ident, wish, UserChange())

    async def get(self, ident: str) -> Entity[Record]:
        """Raises NotFound, Deleted."""
        return _existing(await self._records.get(ident))

    async def with_email(self, email: str) -> Entity[Record]:
        """The user who has the address; raises NotFound."""
        return await self._addresses.owner(email)

    async def list(self, wanted: Query, *, limit: int, cursor: str | None) -> Page[Record]:
        """A page of users."""
        return await self._records.list(wanted, limit=limit, cursor=cursor)

    async def change(self, ident: str, change: UserChange) -> Entity[Record]:
        """Raises NotFound, Deleted, EmailTaken."""
        found = await self.get(ident)
        email, old = change.email, found.document.email
        if email is UNSET or email == old:
            return await self._records.update(ident, lambda record: record.changed(change))
        wish = Wish.of(email)
        await self._records.update(ident, lambda record: replace(record, wish=wish))
        fulfilled = await self._fulfil(ident, wish, change)
        if old is not UNSET and not same(old, email):
            await self._addresses.release(old, ident)
        return fulfilled

    async def delete(self, ident: str) -> None:
        """Raises NotFound, Deleted."""
        found = await self.get(ident)
        await self._records.delete(ident, version="*")
        if found.document.email:
            await self._addresses.release(found.document.email, ident)

    async def _fulfil(self, ident: str, wish: Wish, change: UserChange) -> Entity[Record]:
        """Steps 2 and 3 of a wish that is in the record."""
        try:
            await self._addresses.reserve(wish, ident)
        except EmailTaken:
            await self._addresses.withdraw(wish, ident)
            raise

        def fulfilled(record: Record) -> Record:
            if not record.wishes(wish):
                raise Conflict("Another change of the address came between; look at it and try again", field="email")
            return replace(record.changed(change), email=wish.email, wish=UNSET)

        try:
            return await self._records.update(ident, fulfilled)
        except (NotFound, Deleted) as error:  # it took too long, and somebody else wanted the address
            raise EmailTaken(f"{wish.email} belongs to somebody else by now", field="email") from error


def _existing(found: Entity[Record]) -> Entity[Record]:
    if found.document.email is UNSET:
        raise NotFound(f"There is no user {found.id}")
    return found


def _the_same(found: Entity[Record], new: NewUser) -> Entity[Record]:
    record = found.document
    if not record.has(new.email) or (record.first_name, record.last_name) != (new.first_name, new.last_name):
        raise EventIdReused("The Idempotency-Key was used for another user", field="Idempotency-Key")
    return found
