"""Reading the whole topic, as any consumer of any language could, and holding it against the log."""

from __future__ import annotations

import time
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, TopicPartition

from eskit.events import Event
from eskit.kafka import record
from eskit.kafka.murmur2 import partition
from eskit.settings import Settings


class Read(NamedTuple):
    """What a consumer that drops what it has seen gets, and how many records it dropped."""

    events: list[Event]  # in position order
    dropped: int


def read_topic(config: Settings, timeout_s: float = 30.0) -> Read:
    """All records of the log's topic. Fails when an event is on the wrong partition."""
    consumer = Consumer(
        {
            "bootstrap.servers": config.kafka_bootstrap,
            "group.id": "test-reader",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
        }
    )
    try:
        partitions = len(consumer.list_topics(config.topic, timeout=10).topics[config.topic].partitions)
        consumer.assign([TopicPartition(config.topic, p, 0) for p in range(partitions)])
        return _read(consumer, partitions, time.monotonic() + timeout_s)
    finally:
        consumer.close()


def _read(consumer: Consumer, partitions: int, deadline: float) -> Read:
    ended: set[int] = set()
    last = dict.fromkeys(range(partitions), 0)
    events: list[Event] = []
    dropped = 0
    while len(ended) < partitions:
        assert time.monotonic() < deadline, "the topic could not be read in time"
        for message in consumer.consume(10_000, 0.2):
            where = message.partition()
            assert where is not None
            error = message.error()
            if error is not None:
                assert error.code() == KafkaError._PARTITION_EOF, error
                ended.add(where)
                continue
            event = record.decode(message.value())
            assert where == partition(event.originator.id, partitions)
            assert (message.key() or b"").decode() == event.originator.id
            if event.position <= last[where]:
                dropped += 1
                continue
            last[where] = event.position
            events.append(event)
    return Read(sorted(events, key=lambda event: event.position), dropped)
