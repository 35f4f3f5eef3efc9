"""The users example when processes die, stand still, and race: no address is ever given twice, and none is lost."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from typing import Any

import pytest

from eskit.client import Entity
from eskit.errors import Deleted, EskitError
from eskit.testing import InProcess, in_process
from examples.users.model import EmailTaken, UserChange
from examples.users.users import Users
from tests.users import CALLS, Asleep, Breaking, DiedError, ann, holders, meanwhile, outcome


@pytest.fixture
async def services() -> AsyncIterator[InProcess]:
    async with in_process() as opened:
        yield opened


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", CALLS)
async def test_a_sign_up_that_dies_anywhere_keeps_nobody_out(services: InProcess, at: int, *, after: bool) -> None:
    dying = Breaking(services.crud, at, after=after)
    with suppress(DiedError):
        await Users(dying).create(ann(), "key")
    other = Users(services.crud, wish_s=0)
    with suppress(EmailTaken):
        await other.create(ann(name="Other"))
    (ident,) = (await holders(services)).values()  # one of them has it
    again = Users(services.crud, wish_s=0)
    if (await again.get(ident)).document.first_name == "Ann":
        assert (await again.create(ann(), "key")).id == ident
    else:
        with pytest.raises((EmailTaken, Deleted)):
            await again.create(ann(), "key")
    assert len(await holders(services)) == 1


@pytest.mark.parametrize("at", CALLS)
async def test_a_sign_up_that_died_goes_on_when_it_is_sent_again(services: InProcess, at: int) -> None:
    with suppress(DiedError):
        await Users(Breaking(services.crud, at, after=True)).create(ann(), "key")
    made = await Users(services.crud).create(ann(), "key")
    assert await holders(services) == {"ann@example.org": made.id}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", CALLS)
async def test_a_change_that_dies_anywhere_leaves_one_address_and_frees_the_other(
    services: InProcess, at: int, *, after: bool
) -> None:
    made = await Users(services.crud).create(ann())
    with suppress(DiedError):
        await Users(Breaking(services.crud, at, after=after)).change(made.id, UserChange(email="new@example.org"))
    (email,) = await holders(services)
    other = Users(services.crud, wish_s=0)
    for address in ("ann@example.org", "new@example.org"):
        if address != email:
            await other.create(ann(address, "Other"))
    assert len(await holders(services)) == 2


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", CALLS)
@pytest.mark.parametrize("what", ["sign-up", "change"])
async def test_who_slept_while_another_got_the_address_gets_nothing(
    services: InProcess, what: str, at: int, *, after: bool
) -> None:
    made = await Users(services.crud).create(ann("old@example.org"))
    users = Asleep(services.crud, at, after=after)
    slow = users.create(ann()) if what == "sign-up" else users.change(made.id, UserChange(email="ann@example.org"))
    outcomes = await meanwhile(users, slow, Users(services.crud, wish_s=0).create(ann(name="Other")))
    found = await holders(services)
    assert "ann@example.org" in found
    assert sum(isinstance(one, EskitError) for one in outcomes) == 1, outcomes


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", CALLS)
async def test_who_slept_while_the_first_owner_came_back_gets_nothing(
    services: InProcess, at: int, *, after: bool
) -> None:
    made = await Users(services.crud).create(ann())
    # It dies before the old address is released: the reservation still names it.
    with suppress(DiedError):
        await Users(Breaking(services.crud, 7)).change(made.id, UserChange(email="new@example.org"))
    assert (await Users(services.crud).get(made.id)).document.email == "new@example.org"
    users = Asleep(services.crud, at, after=after)
    back = Users(services.crud, wish_s=0).change(made.id, UserChange(email="ann@example.org"))
    outcomes = await meanwhile(users, users.create(ann(name="Other")), back)
    assert "ann@example.org" in await holders(services)
    assert sum(isinstance(one, EskitError) for one in outcomes) == 1, outcomes


def any_work(users: Users, chance: random.Random, email: str, known: list[str]) -> Awaitable[Any]:
    kind = chance.choice(["create", "change", "delete"]) if known else "create"
    if kind == "create":
        return users.create(ann(email))
    ident = chance.choice(known)
    return users.delete(ident) if kind == "delete" else users.change(ident, UserChange(email=email))


@pytest.mark.parametrize("seed", range(6))
async def test_many_at_once_some_of_which_die(services: InProcess, seed: int) -> None:
    chance = random.Random(seed)
    emails = [f"{name}@example.org" for name in "abc"]
    known: list[str] = []

    async def one() -> None:
        for _ in range(5):
            crud = Breaking(services.crud, chance.randint(1, 30), after=chance.random() < 0.5)
            users = Users(crud, wish_s=chance.choice([0, 0.01, 30]))
            done = await outcome(any_work(users, chance, chance.choice(emails), known))
            if isinstance(done, Entity):
                known.append(done.id)

    await asyncio.gather(*(one() for _ in range(8)))
    await holders(services)
    # Whatever was left behind, every address can be had now.
    taken = await holders(services)
    for email in set(emails) - taken.keys():
        await Users(services.crud, wish_s=0).create(ann(email))
    assert (await holders(services)).keys() == set(emails)
