"""What is asked of Kafka for the lag: which partitions there are, where they begin and end, how old a record is.

All calls block: run them in one thread. Raises KafkaException.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from eskit.kafka import seeking
from eskit.kafka.config import client_config
from eskit.settings import Settings

CALL_S = 3.0
READ_S = 1.0


class At(NamedTuple):
    """A partition of a topic."""

    topic: str
    partition: int


class Record(NamedTuple):
    """A place in a partition: the record there, or the first after it."""

    at: At
    offset: int


def admin(settings: Settings) -> AdminClient:
    """A client to ask with."""
    return AdminClient(client_config(settings, "eskit-offsets-lag"))


def partitions(client: AdminClient, topics: Iterable[str]) -> list[At]:
    """The partitions of those topics that there are."""
    known = client.list_topics(timeout=CALL_S).topics  # of all: asking for one by name might create it
    return [At(topic, number) for topic in topics if topic in known for number in sorted(known[topic].partitions)]


def beginnings(client: AdminClient, wanted: Sequence[At]) -> dict[At, int]:
    """Where these partitions begin; one that has no leader now is left out."""
    return _offsets(client, wanted, OffsetSpec.earliest())  # type: ignore[no-untyped-call]


def ends(client: AdminClient, wanted: Sequence[At]) -> dict[At, int]:
    """Where they end."""
    return _offsets(client, wanted, OffsetSpec.latest())  # type: ignore[no-untyped-call]


def _offsets(client: AdminClient, wanted: Sequence[At], spec: OffsetSpec) -> dict[At, int]:
    asked = {TopicPartition(*at): spec for at in wanted}
    if not asked:
        return {}
    answers = client.list_offsets(asked, request_timeout=CALL_S)
    found = {}
    for at, answer in answers.items():
        error = answer.exception(CALL_S + 1)
        if error is None:
            found[At(at.topic, at.partition)] = answer.result().offset
    if not found:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "no partition's offsets could be had"))  # noqa: SLF001
    return found


def times(settings: Settings, wanted: Iterable[Record]) -> dict[Record, float]:
    """When these records were written, seconds since 1970; what cannot be read in a second is left out."""
    by_partition: dict[At, list[Record]] = {}
    for one in wanted:
        by_partition.setdefault(one.at, []).append(one)
    found: dict[Record, float] = {}
    deadline = time.monotonic() + READ_S
    with seeking.reader(settings, "eskit-offsets-lag") as consumer:
        while by_partition and time.monotonic() < deadline:
            turn = {at: places.pop() for at, places in by_partition.items()}
            by_partition = {at: places for at, places in by_partition.items() if places}
            found |= _read(consumer, turn, deadline)
    return found


def _read(consumer: Consumer, turn: Mapping[At, Record], deadline: float) -> dict[Record, float]:
    """One record of each partition."""
    consumer.assign([TopicPartition(*at, record.offset) for at, record in turn.items()])
    found: dict[Record, float] = {}
    passed: set[At] = set()
    while len(passed) < len(turn) and time.monotonic() < deadline:
        message = consumer.poll(0.2)
        if message is None:
            continue
        at = At(message.topic() or "", message.partition() or 0)
        kind, written_ms = message.timestamp()
        if message.error() is None and at not in passed and kind != TIMESTAMP_NOT_AVAILABLE:
            found[turn[at]] = written_ms / 1000
        passed.add(at)  # an error, too: its end, or an offset that is gone
    return found
