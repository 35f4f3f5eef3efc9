"""A consumer on a log in memory."""

from __future__ import annotations

from collections.abc import Iterable

from eskit.consumer.consumer import Consumer
from eskit.consumer.means import Means
from eskit.kafka import record
from eskit.kafka.seeking import Place, Position
from eskit.settings import Settings, load
from eskit.testing.group import Member
from eskit.testing.log import Log

TOPIC = Settings().topic


async def consume(consumer: Consumer, log: Log, settings: Settings | None = None) -> None:
    """Let it do what is in the log, from where it stopped the last time; returns when it is done or set aside.

    `settings`: where a consumer with `transaction` finds its database; those of the environment by default. Raises what ends a consumer: HandlerStopped, an
    error of a hook.
    """
    async with consumer.view(settings or load()) as view:
        await consumer.run_on(memory_means(consumer, log), TOPIC, view=view, until="head")


def memory_means(consumer: Consumer, log: Log) -> Means:
    """What a run works with, when its log is in memory."""

    async def seek(partitions: Iterable[int], place: Place) -> dict[int, int]:
        return {number: _offset(log, number, place) for number in partitions}

    async def identify() -> None:
        return None

    name = consumer.name
    return Means(
        log.offsets,
        lambda claim: log.letters.at(name, claim.partition, consumer.routes),
        lambda callbacks: Member(log, name, callbacks),
        seek,
        identify,
    )


def _offset(log: Log, number: int, place: Place) -> int:
    messages = log.partitions[number]
    if isinstance(place, str):
        return 0 if place == "beginning" else len(messages)
    for message in messages:
        event = record.decode(message.value())
        if event.position >= place.number if isinstance(place, Position) else event.recorded_at >= place:
            return message.offset()
    return len(messages)
