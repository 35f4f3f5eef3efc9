"""The tail of a topic: the last event of each partition. All calls block: run them in a thread."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from eskit.errors import TopicMismatch, Unavailable
from eskit.kafka import record
from eskit.kafka.config import client_config
from eskit.settings import Settings
from eventstore_svc.relay.topic import HOW, TIMEOUT_S, Topic, kafka_boundary


class Tail(NamedTuple):
    """The last event of a partition, and the last offset given out in it (-1: none yet)."""

    position: int = 0  # 0: no event
    event_id: str = ""
    offset: int = -1


def read_tails(settings: Settings, topic: Topic) -> list[Tail]:
    """The tail of each partition; raises Unavailable."""
    config = client_config(settings, "eskit-relay-tail") | {
        "group.id": "eskit-relay-tail",
        "enable.auto.commit": False,
        "auto.offset.reset": "error",
        "enable.partition.eof": True,
        "fetch.wait.max.ms": 50,
    }
    with kafka_boundary():
        consumer = Consumer(config)
        try:
            return [_tail(consumer, TopicPartition(topic.name, p)) for p in range(topic.partitions)]
        finally:
            consumer.close()


def check_tails(tails: Sequence[Tail], logged: Mapping[int, str]) -> None:
    """Refuse a topic whose records are not this log's; `logged` has the event ids at the tails' positions.

    A log that was restored and has grown since gives the same positions to other events: then the last record of some
    partition is not the event that the log has there. Raises TopicMismatch.
    """
    for partition, tail in enumerate(tails):
        if tail.position and (known := logged.get(tail.position)) not in {None, tail.event_id}:
            message = (
                f"position {tail.position} is event {tail.event_id} on the topic (partition {partition}) and {known} "
                f"in the log: the database was restored to an older point, or the topic is another log's; see {HOW}"
            )
            raise TopicMismatch(message)


def _tail(consumer: Consumer, partition: TopicPartition) -> Tail:
    low, high = consumer.get_watermark_offsets(partition, timeout=TIMEOUT_S)
    back = 1
    while high > low:
        start = max(low, high - back)
        found = _last_event(consumer, TopicPartition(partition.topic, partition.partition, start), high)
        if found.position or start == low:
            return found._replace(offset=high - 1)
        back *= 16  # control records, or records that are not ours: look further back
    return Tail(offset=high - 1)


def _last_event(consumer: Consumer, start: TopicPartition, high: int) -> Tail:
    """The event with the highest position between `start` and the end."""
    consumer.assign([start])
    deadline = time.monotonic() + TIMEOUT_S
    last = Tail()
    while time.monotonic() < deadline:
        message = consumer.poll(0.5)
        if message is None:
            continue
        error = message.error()
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the library's public name
                return last
            raise KafkaException(error)
        last = max(last, _event(message))
        if (message.offset() or 0) >= high - 1:
            return last
    raise Unavailable(f"the end of partition {start.partition} of {start.topic} could not be read in time")


def _event(message: Message) -> Tail:
    try:
        event = record.decode(message.value())
    except record.UndecodableRecord:
        return Tail()
    return Tail(event.position, str(event.event_id))
