"""Where a position or a time begins in a partition, on a real Kafka: the same as reading all of it would find."""

from __future__ import annotations

import random
from bisect import bisect_left
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from eskit import times
from eskit.errors import Unavailable
from eskit.kafka import seeking
from eskit.kafka.seeking import Position
from eskit.settings import Settings
from infra.local.broker import KafkaBroker
from tests.integration.consuming import PARTITIONS, Topic, positions_of, stored

EVENTS = 4000


def found(config: Settings, number: int, position: int) -> int:
    """By position, and by time, which must be the same: times grow with positions here."""
    places = (Position(position), times.moment(stored(position).recorded_at_us))
    by_position, by_time = (seeking.find(config, config.topic, [number], place)[number] for place in places)
    assert by_time == by_position
    return by_position


def test_finds_what_reading_all_would_find(log_config: Settings, kafka_broker: KafkaBroker) -> None:
    topic = Topic(log_config, kafka_broker)
    topic.add_positions(range(1, EVENTS + 1))
    dice = random.Random(5)
    for number in range(PARTITIONS):
        there = positions_of(number, range(1, EVENTS + 1))
        wanted = [0, 1, there[0], there[0] + 1, there[-1], there[-1] + 1, EVENTS + 1, 10**15]
        for position in [*wanted, *(dice.randrange(EVENTS) for _ in range(2))]:
            assert found(log_config, number, position) == bisect_left(there, position)


def test_an_empty_partition_begins_at_its_end(log_config: Settings, kafka_broker: KafkaBroker) -> None:
    topic = Topic(log_config, kafka_broker)
    assert found(log_config, 0, 1) == 0
    topic.add_raw(0, b"not an event")
    assert found(log_config, 0, 1) == 1


@pytest.mark.real_kafka
def test_records_that_retention_took_are_not_searched(log_config: Settings, kafka_broker: KafkaBroker) -> None:
    topic = Topic(log_config, kafka_broker)
    topic.add_positions(range(1, EVENTS + 1))
    there = positions_of(1, range(1, EVENTS + 1))
    admin = AdminClient({"bootstrap.servers": log_config.kafka_bootstrap})
    for low in (500, len(there)):
        gone = TopicPartition(topic.name, 1, low)
        admin.delete_records([gone])[gone].result(20)
        for index in (0, 499, 500, 501, len(there) - 1):
            assert found(log_config, 1, there[index]) == max(low, index)


@pytest.mark.real_kafka
def test_records_that_are_no_events_and_marks_of_transactions_are_passed(
    log_config: Settings, kafka_broker: KafkaBroker
) -> None:
    """Long stretches of them, so that bisection looks right into one."""
    topic = Topic(log_config, kafka_broker)
    offsets: list[tuple[int, int]] = []  # position, offset
    written, position = 0, 0
    bootstrap = {"bootstrap.servers": log_config.kafka_bootstrap}
    producer = Producer({**bootstrap, "transactional.id": log_config.topic, "linger.ms": 5})
    producer.init_transactions(20)
    for _ in range(3):
        batch = [p for p in range(position + 1, position + 1500) if p in set(positions_of(2, [p]))]
        topic.add_positions(batch)
        offsets += [(p, written + index) for index, p in enumerate(batch)]
        written, position = written + len(batch), batch[-1]
        for _ in range(150):
            producer.begin_transaction()
            producer.produce(topic.name, b"not an event", partition=2)
            producer.commit_transaction(20)
        written += 300
    places = [p for p, _ in offsets]
    assert seeking.find(log_config, topic.name, [2], "end") == {2: written}
    for wanted in [*places[::80], places[-1], places[-1] + 1]:
        index = bisect_left(places, wanted)
        expected = offsets[index][1] if index < len(offsets) else written
        assert found(log_config, 2, wanted) == expected


def test_a_partition_that_is_not_there_is_no_place(log_config: Settings, kafka_broker: KafkaBroker) -> None:
    topic = Topic(log_config, kafka_broker)
    assert seeking.partitions_of(log_config, topic.name) == list(range(PARTITIONS))
    assert seeking.partitions_of(log_config, "no-such-topic") is None
    with pytest.raises(Unavailable):
        seeking.find(log_config, topic.name, [PARTITIONS + 5], Position(1))


def test_a_partition_that_has_no_leader_yet_is_waited_for() -> None:
    """As one that was made a moment ago, on a broker that is slow to say so."""
    answers: list[Any] = [KafkaException(KafkaError(KafkaError.NOT_LEADER_FOR_PARTITION)), (3, 7)]

    class Looking:
        def get_watermark_offsets(self, *_: Any, **__: Any) -> tuple[int, int]:
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return cast("tuple[int, int]", answer)

    assert seeking._marks(cast("Any", Looking()), TopicPartition("topic", 0)) == (3, 7)
    assert not answers
