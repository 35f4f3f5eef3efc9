"""For tests of handlers: a log in memory, read by the same runtime that reads Kafka.

from eskit.testing import Log, consume

async def test_a_new_user_is_charged() -> None:
    log = Log()
    log.append("User.Created", "ada", {"plan": "small"})
    await consume(billing, log)
    assert charged == ["ada"]
"""

from eskit.testing.consuming import consume
from eskit.testing.log import Log

__all__ = ["Log", "consume"]
