"""Users: as the service takes them, as it answers them, and as they are stored."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from eskit.errors import Conflict
from eskit.ids import uuid7

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Email = Annotated[str, Meta(max_length=254, pattern=r"^[^@\s\x00]+@[^@\s\x00]+\.[^@\s\x00]+$(?!\n)")]
Workspaces = Annotated[list[Name], Meta(max_length=100)]

# How long a sign-up may take before another one may have its address. Only a matter of manners: none of the two would
# ever get an address that the other has, whatever their clocks say.
WISH_S = 30.0


class EmailTaken(Conflict):
    """Another user has the address, or is about to."""

    code, title = "email-taken", "E-mail address taken"


class NewUser(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a sign-up sends."""

    email: Email
    first_name: Name
    last_name: Name
    active: bool = True
    workspaces: Workspaces = []


class UserChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a change sends: only what is to be another."""

    email: Email | UnsetType = UNSET
    first_name: Name | UnsetType = UNSET
    last_name: Name | UnsetType = UNSET
    active: bool | UnsetType = UNSET
    workspaces: Workspaces | UnsetType = UNSET


class User(msgspec.Struct, frozen=True, kw_only=True):
    """What is answered."""

    id: str
    version: int
    email: str
    first_name: str
    last_name: str
    active: bool
    workspaces: list[str]


class Wish(msgspec.Struct, frozen=True):
    """An address that a user is about to get. Each attempt is a wish of its own, so that none ends another's."""

    email: str
    id: UUID
    since: datetime

    @classmethod
    def of(cls, email: str) -> Wish:
        """A new one."""
        return cls(email, uuid7(), datetime.now(UTC))

    @property
    def age_s(self) -> float:
        """Since when it is wished for."""
        return (datetime.now(UTC) - self.since).total_seconds()


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A user as stored. Without `email` the sign-up is not over yet, or never will be: there is no such user."""

    first_name: str
    last_name: str
    active: bool
    workspaces: list[str]
    email: str | UnsetType = UNSET
    wish: Wish | UnsetType = UNSET

    def has(self, email: str) -> bool:
        """Whether it is the user's address."""
        return self.email is not UNSET and same(self.email, email)

    def wishes(self, wish: Wish) -> bool:
        """Whether this wish is still open."""
        return self.wish is not UNSET and self.wish.id == wish.id

    def wishes_for(self, email: str) -> bool:
        """Whether there is any wish for the address."""
        return self.wish is not UNSET and same(self.wish.email, email)

    def changed(self, change: UserChange) -> Record:
        """With everything of a change but the address."""
        given: dict[str, Any] = {
            name: value
            for name in ("first_name", "last_name", "active", "workspaces")
            if (value := getattr(change, name)) is not UNSET
        }
        return msgspec.structs.replace(self, **given)


class Reservation(msgspec.Struct, frozen=True):
    """To whom an address belongs, by which wish."""

    user: str
    wish: UUID


def same(one: str, other: str) -> bool:
    """Whether two spellings are one address. Strictly only the domain knows no upper case; people know none at all."""
    return one.casefold() == other.casefold()


def reservation_id(email: str) -> str:
    """The id of an address's reservation: a hash, because an address may be longer than an id."""
    return hashlib.sha256(email.casefold().encode()).hexdigest()
