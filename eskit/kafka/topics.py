"""Which life of a topic this is: Kafka gives every topic an id, and one made anew another."""

from __future__ import annotations

import base64
from uuid import UUID

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from eskit.errors import Unavailable
from eskit.kafka.config import client_config
from eskit.settings import Settings

ANSWER_S = 3.0


def topic_id(settings: Settings, topic: str) -> str | None:
    """As a UUID's text; None where the brokers have no ids to tell. It waits for Kafka. Raises Unavailable."""
    admin = AdminClient(client_config(settings, "eskit-topic-id"))
    try:
        _require_there(admin, topic)
        return _described(admin, topic)
    except KafkaException as error:
        raise Unavailable(f"Kafka cannot be reached: {error.args[0].str()}") from error


def _require_there(admin: AdminClient, topic: str) -> None:
    found = admin.list_topics(topic, timeout=ANSWER_S).topics[topic]
    if found.error is not None:
        raise Unavailable(f"topic {topic}: {found.error.str()}")


def _described(admin: AdminClient, topic: str) -> str | None:
    answer = admin.describe_topics(TopicCollection([topic]), request_timeout=ANSWER_S)
    try:
        return canonical(str(answer[topic].result().topic_id))
    except KafkaException as error:
        if error.args[0].code() != KafkaError._TIMED_OUT:  # noqa: SLF001 - the library's name for its own code
            raise
        # librdkafka's built-in broker knows topics, but answers nothing to this. A broker that is away does neither.
        _require_there(admin, topic)
        return None


def canonical(text: str) -> str:
    """A topic's id as UUID text: from that, or from the 22 characters that Kafka's tools print. Raises ValueError."""
    if len(text) == 22:
        return str(UUID(bytes=base64.urlsafe_b64decode(text + "==")))
    return str(UUID(text))
