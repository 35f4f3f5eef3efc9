"""The topic: found, made when missing, held against what Postgres has pinned. All calls block: run them in a thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from eskit import logs
from eskit.errors import TopicMismatch, Unavailable
from eskit.kafka.config import client_config
from eskit.settings import Settings

log = logs.get(__name__)

TIMEOUT_S = 10.0
HOW = "docs/howto/topic-and-log-disagree.md"
RECORD_OVERHEAD_BYTES = 16_384
"""What a record has beside what counts against the event limit: fixed headers, framing, batch header, with room."""


class Topic(NamedTuple):
    """What identifies a topic; `topic_id` is empty where the broker has none."""

    name: str
    partitions: int
    topic_id: str


@contextmanager
def kafka_boundary() -> Iterator[None]:
    """Turn what confluent-kafka raises into Unavailable."""
    try:
        yield
    except KafkaException as error:
        raise Unavailable(f"Kafka does not answer as it should: {error.args[0]}") from error


def find(settings: Settings) -> Topic | None:
    """The topic as Kafka has it, None when there is none; raises Unavailable."""
    with kafka_boundary():
        admin = AdminClient(client_config(settings, "eskit-relay-admin"))
        known = admin.list_topics(timeout=TIMEOUT_S)  # of all topics: asking for one by name might create it
        if settings.topic not in known.topics:
            return None
        try:
            described = admin.describe_topics(TopicCollection([settings.topic]), request_timeout=TIMEOUT_S)
            topic_id = str(described[settings.topic].result().topic_id)
        except KafkaException as error:
            if error.args[0].code() != KafkaError._UNSUPPORTED_FEATURE:  # noqa: SLF001 - the library's public name
                raise
            topic_id = ""  # the built-in broker
    return Topic(settings.topic, len(known.topics[settings.topic].partitions), topic_id)


def create(settings: Settings) -> None:
    """Make the topic; that another relay was faster is no error. Raises Unavailable."""
    config = {
        "cleanup.policy": "delete",
        "retention.ms": "-1",
        "retention.bytes": "-1",
        "max.message.bytes": str(settings.max_event_bytes + RECORD_OVERHEAD_BYTES),
    }
    new = NewTopic(settings.topic, settings.topic_partitions, settings.topic_replication, config=config)
    with kafka_boundary():
        admin = AdminClient(client_config(settings, "eskit-relay-admin"))
        try:
            admin.create_topics([new], request_timeout=TIMEOUT_S)[settings.topic].result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
    log.info("topic created", topic=settings.topic, partitions=settings.topic_partitions)


def record_limit(settings: Settings) -> int:
    """Bytes that a record may have; raises TopicMismatch when the largest event does not fit, and Unavailable."""
    needed = settings.max_event_bytes + RECORD_OVERHEAD_BYTES
    resource = ConfigResource(ResourceType.TOPIC, settings.topic)
    with kafka_boundary():
        admin = AdminClient(client_config(settings, "eskit-relay-admin"))
        try:
            config = admin.describe_configs([resource], request_timeout=TIMEOUT_S)[resource].result()
        except KafkaException as error:
            log.warning("the topic's record limit cannot be read", error=str(error.args[0]))
            return needed
    limit = int(config["max.message.bytes"].value)
    if limit < needed:
        message = (
            f"topic {settings.topic} takes records of {limit} bytes, ESKIT_MAX_EVENT_BYTES={settings.max_event_bytes} "
            f"needs {needed}: raise the topic's max.message.bytes or lower the setting"
        )
        raise TopicMismatch(message)
    return limit


def compare(found: Topic | None, pinned: Topic | None) -> None:
    """Refuse a topic that is not the one this log was published to; raises TopicMismatch."""
    if pinned is None:
        return
    how = f"see {HOW}"
    if found is None:
        raise TopicMismatch(f"topic {pinned.name}, to which this log was published, is gone; {how}")
    if found.partitions != pinned.partitions:
        message = (
            f"topic {found.name} has {found.partitions} partitions, the log was published to {pinned.partitions}; {how}"
        )
        raise TopicMismatch(message)
    if found != pinned:
        message = f"topic {found.name} (id {found.topic_id}) is not the one this log was published to ({pinned}); {how}"
        raise TopicMismatch(message)
