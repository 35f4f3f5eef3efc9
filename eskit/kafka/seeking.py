"""Where in a topic a position or a moment is: offsets found by bisection, since both rise within a partition.

Offsets have holes, where retention, compaction or the end of a transaction left them, and a record need not be an event
of ours: a probe reads on to the next one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Literal, NamedTuple

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from eskit.errors import Unavailable
from eskit.kafka import record
from eskit.kafka.config import client_config
from eskit.settings import Settings

RETRY_S = 0.1
ANSWER_S = 5.0
# What is said of a partition that was made a moment ago, or has just lost its leader. (`retriable` is false of these.)
LEADERLESS = {KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE}
# One partition's search.
SEARCH_S = 20.0
# So few offsets are read one after the other: that is faster than to look into their middle.
FEW = 200

Reached = Callable[[Message], bool | None]
"""Whether a record is at the wanted place or after it; None: it is not an event of ours, look at the next."""


PROBING: Mapping[str, Any] = {
    "auto.offset.reset": "earliest",
    "fetch.wait.max.ms": 5,  # a fetch that waits at the end of the partition holds up the next probe
    "fetch.message.max.bytes": 65536,  # most of what a probe fetches it does not look at
}


class Position(NamedTuple):
    """A place in the log: the first event from this position on."""

    number: int


Place = Literal["beginning", "end"] | Position | datetime


def find(settings: Settings, topic: str, partitions: Iterable[int] | None, place: Place) -> dict[int, int]:
    """The offset of a place in each partition (None: in all): of its first record there, or of its end.

    A datetime means `recorded_at`. It waits for Kafka, so it belongs into a thread. Raises Unavailable.
    """
    with reader(settings, "eskit-seek") as looking:
        numbers = _partitions(looking, topic) if partitions is None else partitions
        return {number: _offset(looking, TopicPartition(topic, number), place) for number in numbers}


def partitions_of(settings: Settings, topic: str) -> list[int] | None:
    """The partitions of a topic; None where there is no such topic. It waits for Kafka. Raises Unavailable."""
    with reader(settings, "eskit-seek") as looking:
        # Of all topics: asking for one by name might create it.
        known = looking.list_topics(timeout=ANSWER_S).topics.get(topic)
        return None if known is None else sorted(known.partitions)


@contextmanager
def reader(
    settings: Settings, client_id: str, options: Mapping[str, Any] = PROBING
) -> Iterator[confluent_kafka.Consumer]:
    """A consumer to look around with, in no group. What Kafka raises inside comes out as Unavailable."""
    config = {
        **client_config(settings, client_id),
        "group.id": client_id,  # asked for by the library; it joins no group
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        **options,
    }
    made = confluent_kafka.Consumer(config)
    try:
        yield made
    except KafkaException as error:
        raise Unavailable(f"Kafka cannot be reached: {error.args[0].str()}") from error
    finally:
        made.close()


def _partitions(reader: confluent_kafka.Consumer, topic: str) -> list[int]:
    found = reader.list_topics(topic, timeout=ANSWER_S).topics[topic]
    if found.error is not None:
        raise Unavailable(f"topic {topic}: {found.error.str()}")
    return sorted(found.partitions)


def _marks(reader: confluent_kafka.Consumer, at: TopicPartition) -> tuple[int, int]:
    """Where a partition begins and ends. One that was made a moment ago may have no leader yet."""
    deadline = time.monotonic() + ANSWER_S
    while True:
        try:
            marks = reader.get_watermark_offsets(at, timeout=ANSWER_S, cached=False)
        except KafkaException as error:
            if error.args[0].code() not in LEADERLESS or time.monotonic() > deadline:
                raise
            time.sleep(RETRY_S)
        else:
            if marks is None:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001 - the library's name for its code
            return marks


def _offset(reader: confluent_kafka.Consumer, at: TopicPartition, place: Place) -> int:
    low, high = _marks(reader, at)
    if place == "beginning":
        return int(low)
    if place == "end":
        return int(high)
    return _bisect(reader, at, (low, high), _reached(place))


def _reached(place: Position | datetime) -> Reached:
    def reached(message: Message) -> bool | None:
        value = message.value() or b""
        try:
            if isinstance(place, Position):
                return record.position(value) >= place.number
            return record.decode(value).recorded_at >= place
        except record.UndecodableRecord:
            return None

    return reached


def _bisect(reader: confluent_kafka.Consumer, at: TopicPartition, marks: tuple[int, int], reached: Reached) -> int:
    """No record below `low` is there, and from `high` on the first one is at `found`."""
    low, high = marks
    found = high
    deadline = time.monotonic() + SEARCH_S
    while low < high:
        start = low if high - low <= FEW else (low + high) // 2
        for message in _records(reader, TopicPartition(at.topic, at.partition, start), high, deadline):
            there, offset = reached(message), message.offset() or 0
            if there:
                found, high = offset, start
                break
            if there is not None:
                low = offset + 1
                if high - low > FEW:
                    break  # to look into the middle again
        else:
            high = start  # whatever is from there on, is none of ours, or not there yet
    return found


def _records(reader: confluent_kafka.Consumer, start: TopicPartition, end: int, deadline: float) -> Iterator[Message]:
    """The records from an offset up to another, or to the end of the partition."""
    reader.assign([start])
    while time.monotonic() < deadline:
        message = reader.poll(0.5)
        if message is None:
            continue
        error = message.error()
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - as above
                return
            raise KafkaException(error)
        if (message.offset() or 0) >= end:
            return
        yield message
    raise Unavailable(f"{start.topic} {start.partition} could not be searched in time; try again")
