"""Claims: who has a partition from now on."""

from __future__ import annotations

from collections.abc import Sequence

from eskit.errors import TopicChanged
from eskit.offsets import Claim, Release
from eskit.postgres.statements import statement
from offsets_svc.store.database import Database

CLAIM = statement("offsets_svc", "claim")
RELEASE = statement("offsets_svc", "release")
TOPIC_IDS = statement("offsets_svc", "topic_ids")


async def claim(
    database: Database, consumer: str, topic: str, partitions: Sequence[int], member: str, topic_id: str | None
) -> list[Claim]:
    """Give the partitions to a member: each gets the next epoch. Raises TopicChanged, Unavailable."""
    values = {"consumer": consumer, "topic": topic, "member": member, "partitions": partitions, "topic_id": topic_id}
    claims = [Claim(*row) for row in await database.rows(CLAIM, values)]
    if len(claims) < len(partitions):
        missing = set(partitions) - {claimed.partition for claimed in claims}
        raise await _changed(database, consumer, topic, missing, topic_id)
    return sorted(claims, key=lambda claimed: claimed.partition)


async def _changed(database: Database, consumer: str, topic: str, missing: set[int], given: str | None) -> TopicChanged:
    known: dict[int, str] = dict(await database.rows(TOPIC_IDS, {"consumer": consumer, "topic": topic}))
    stored = next((known[number] for number in sorted(missing) if number in known), None)
    message = (
        f"{consumer}'s offsets in partitions {sorted(missing)[:10]} of {topic} belong to a topic with the id {stored}, "
        f"this one has {given}: it was made anew, and they mean nothing there. Reset the consumer"
    )
    return TopicChanged(message, field="topic_id", stored=stored, given=given)


async def release(database: Database, consumer: str, topic: str, gone: Sequence[Release]) -> int:
    """Take a member out of the partitions that are still its own; how many. Raises Unavailable."""
    values = {
        "consumer": consumer,
        "topic": topic,
        "partitions": [one.partition for one in gone],
        "epochs": [one.epoch for one in gone],
    }
    return len(await database.rows(RELEASE, values))
