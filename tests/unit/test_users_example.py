"""The users example on services in this process: what it does."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from eskit.errors import Deleted, EventIdReused, NotFound
from eskit.testing import InProcess, in_process
from examples.users.addresses import Addresses
from examples.users.model import EmailTaken, Record, UserChange, Wish
from examples.users.users import Users
from tests.users import ann, holders, in_process_app


@pytest.fixture
async def services() -> AsyncIterator[InProcess]:
    async with in_process() as opened:
        yield opened


@pytest.fixture
def users(services: InProcess) -> Users:
    return Users(services.crud)


async def test_a_user_from_sign_up_to_the_end(users: Users) -> None:
    made = await users.create(ann())
    assert made.document.email == "ann@example.org"
    assert await users.get(made.id) == made == await users.with_email("ANN@example.org")
    changed = await users.change(made.id, UserChange(active=False, workspaces=["home", "work"]))
    assert (changed.document.active, changed.document.workspaces) == (False, ["home", "work"])
    await users.delete(made.id)
    with pytest.raises(Deleted):
        await users.get(made.id)
    with pytest.raises(NotFound):
        await users.with_email("ann@example.org")


async def test_an_address_is_given_once_however_it_is_spelt(users: Users, services: InProcess) -> None:
    made = await users.create(ann())
    for spelt in ("ann@example.org", "Ann@Example.ORG"):
        with pytest.raises(EmailTaken):
            await users.create(ann(spelt, "Other"))
    assert await holders(services) == {"ann@example.org": made.id}
    other = await users.create(ann("other@example.org", "Other"))
    with pytest.raises(EmailTaken):
        await users.change(other.id, UserChange(email="ann@example.org", first_name="Thief"))
    assert (await users.get(other.id)).document.first_name == "Other"


async def test_a_change_of_address_frees_the_old_one(users: Users, services: InProcess) -> None:
    made = await users.create(ann())
    moved = await users.change(made.id, UserChange(email="lee@example.org", last_name="Li"))
    assert (moved.document.email, moved.document.last_name) == ("lee@example.org", "Li")
    other = await users.create(ann("ann@example.org", "Other"))
    back = await users.change(made.id, UserChange(email="LEE@example.org"))  # only spelt otherwise
    assert back.document.email == "LEE@example.org"
    assert await holders(services) == {"lee@example.org": made.id, "ann@example.org": other.id}


async def test_a_deleted_users_address_is_free_at_once(users: Users) -> None:
    first = await users.create(ann())
    await users.delete(first.id)
    assert (await users.create(ann())).id != first.id


async def test_users_are_listed_without_sign_ups_that_are_not_over(services: InProcess) -> None:
    async with in_process_app(services) as call:
        for email, last_name in (("b@example.org", "Bo"), ("a@example.org", "Ada"), ("c@example.org", "Cy")):
            await call("POST", "/users", {"email": email, "first_name": "X", "last_name": last_name})
        await Addresses(services.crud).records.create(
            Record(first_name="Y", last_name="Young", active=True, workspaces=[], wish=Wish.of("y@example.org"))
        )
        page = await call("GET", "/users?limit=2")
        rest = await call("GET", f"/users?limit=2&cursor={page['next']}")
        assert [user["last_name"] for user in [*page["users"], *rest["users"]]] == ["Ada", "Bo", "Cy"]
        assert rest["next"] is None
        (found,) = (await call("GET", "/users?last_name=Bo"))["users"]
        await call("PATCH", f"/users/{found['id']}", {"active": False})
        assert (await call("GET", "/users?active=false"))["users"] == [found | {"active": False, "version": 3}]


async def test_a_sign_up_sent_again_makes_one_user(users: Users, services: InProcess) -> None:
    one, other = await users.create(ann(), "key"), await users.create(ann(), "key")
    assert one == other
    with pytest.raises(EventIdReused):
        await users.create(ann("bo@example.org"), "key")
    assert await holders(services) == {"ann@example.org": one.id}
