"""For tests of programs: a log in memory, read by the runtime that reads Kafka, written by the services themselves.

from eskit.testing import Log, consume

async def test_a_new_user_is_charged() -> None:
    log = Log()
    log.append("User.Created", "ada", {"plan": "small"})
    await consume(billing, log)
    assert charged == ["ada"]

async def test_a_sign_up_makes_a_user() -> None:
    async with in_process() as services:
        users = Entities(services.crud, "User", User)
        await sign_up(users, "ada")
        assert (await users.get("ada")).document.plan == "small"
"""

from eskit.testing.consuming import consume
from eskit.testing.in_process import InProcess, in_process
from eskit.testing.log import Log

__all__ = ["InProcess", "Log", "consume", "in_process"]
