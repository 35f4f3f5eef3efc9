"""The names of the consumers, and which events are poisoned."""

SINGLE, LANES, VIEW = "single", "lanes", "view"
CONSUMERS = (SINGLE, LANES, VIEW)
PARTITIONS = 6
# What a member logs when a SIGTERM would end it in good order.
UP = "the member is up"


def poisoned(position: int) -> bool:
    """One event of each thousand, each time of another originator."""
    return position % 1000 == (position // 1000 * 37 + 11) % 1000
