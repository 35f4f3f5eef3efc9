"""Where in a topic a position or a moment is: offsets found by bisection, since both rise within a partition."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Literal, NamedTuple

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from eskit.errors import Unavailable
from eskit.events import Event
from eskit.kafka import record
from eskit.kafka.config import client_config
from eskit.settings import Settings

ANSWER_S = 5.0
# Records of somebody else in a row that are passed over in looking for one of ours.
MAX_STRANGERS = 1000


class Position(NamedTuple):
    """A place in the log: the first event from this position on."""

    number: int


Place = Literal["beginning", "end"] | Position | datetime


def find(settings: Settings, topic: str, partitions: Iterable[int] | None, place: Place) -> dict[int, int]:
    """The offset of a place in each partition (None: in all): of its first record there, or of its end.

    A datetime means `recorded_at`. It waits for Kafka, so it belongs into a thread. Raises Unavailable.
    """
    with _reader(settings) as reader:
        numbers = _partitions(reader, topic) if partitions is None else partitions
        return {number: _offset(reader, TopicPartition(topic, number), place) for number in numbers}


@contextmanager
def _reader(settings: Settings) -> Iterator[confluent_kafka.Consumer]:
    config = {
        **client_config(settings, "eskit-seek"),
        "group.id": "eskit-seek",  # asked for by the library; it joins no group
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "earliest",
        "fetch.wait.max.ms": 10,
        # One record is wanted at a time.
        "fetch.message.max.bytes": 65536,
        "queued.min.messages": 1,
    }
    reader = confluent_kafka.Consumer(config)
    try:
        yield reader
    except KafkaException as error:
        raise Unavailable(f"Kafka cannot be reached: {error.args[0].str()}") from error
    finally:
        reader.close()


def _partitions(reader: confluent_kafka.Consumer, topic: str) -> list[int]:
    found = reader.list_topics(topic, timeout=ANSWER_S).topics[topic]
    if found.error is not None:
        raise Unavailable(f"topic {topic}: {found.error.str()}")
    return sorted(found.partitions)


def _offset(reader: confluent_kafka.Consumer, at: TopicPartition, place: Place) -> int:
    marks = reader.get_watermark_offsets(at, timeout=ANSWER_S, cached=False)
    if marks is None:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001 - the library's name for its own code
    low, high = marks
    if place == "beginning":
        return int(low)
    if place == "end":
        return int(high)
    return _bisect(reader, at, (low, high), _reached(place))


def _reached(place: Position | datetime) -> Callable[[Event], bool]:
    if isinstance(place, Position):
        return lambda event: event.position >= place.number
    return lambda event: event.recorded_at >= place


def _bisect(
    reader: confluent_kafka.Consumer, at: TopicPartition, marks: tuple[int, int], reached: Callable[[Event], bool]
) -> int:
    low, high = marks
    while low < high:
        middle = (low + high) // 2
        found = _event_from(reader, TopicPartition(at.topic, at.partition, middle))
        # There may be none at `middle`: a transaction's mark, a hole. Then it is the next that says where we are.
        if found is None or reached(found[1]):
            high = middle
        else:
            low = found[0] + 1
    return low


def _event_from(reader: confluent_kafka.Consumer, at: TopicPartition) -> tuple[int, Event] | None:
    """The first event of ours from there on with its offset; None: there is none up to the end."""
    reader.assign([at])
    for _ in range(MAX_STRANGERS):
        message = reader.poll(ANSWER_S)
        if message is None:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001 - as above
        if (error := message.error()) is not None:
            if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - as above
                return None
            raise KafkaException(error)
        if (event := _decoded(message)) is not None:
            return message.offset() or 0, event
    raise Unavailable(f"{at.topic} {at.partition}: {MAX_STRANGERS} records in a row are no events of ours")


def _decoded(message: Message) -> Event | None:
    try:
        return record.decode(message.value())
    except record.UndecodableRecord:
        return None
