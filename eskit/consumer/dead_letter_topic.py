"""Copies of dead letters in a topic, for whoever listens there."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from eskit.errors import Unavailable
from eskit.kafka import record
from eskit.kafka.config import client_config
from eskit.letters import Letter, Owner
from eskit.settings import Settings

FLUSH_S = 10.0
# Without the right to make topics, or on a broker that cannot, it is there already, or makes itself.
LET_PASS = frozenset(
    {
        KafkaError.TOPIC_ALREADY_EXISTS,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError._TIMED_OUT,  # noqa: SLF001 - the library's name for its own code
        KafkaError._UNSUPPORTED_FEATURE,  # noqa: SLF001 - as above
    }
)


class DeadLetterTopic:
    """`<topic>.dlq.<consumer>`: a copy of each letter, with its cause and where it stood in headers. At least once."""

    def __init__(self, settings: Settings, consumer: str) -> None:
        """Nothing is opened before the first letter."""
        self.name = f"{settings.topic}.dlq.{consumer}"
        self._settings = settings
        self._consumer = consumer
        self._producer: Producer | None = None

    async def publish(self, source: Owner, letters: Sequence[Letter]) -> None:
        """Returns when Kafka has them. Raises Unavailable."""
        await asyncio.to_thread(self._publish, source, letters)

    def _publish(self, source: Owner, letters: Sequence[Letter]) -> None:
        failed: list[str] = []

        def answered(error: KafkaError | None, _: object) -> None:
            if error is not None:
                failed.append(error.str())

        try:
            producer = self._opened()
            for letter in letters:
                headers = [*((h.name, h.value) for h in letter.headers), *_told(self._consumer, source, letter)]
                producer.produce(self.name, letter.value, letter.key or None, headers=headers, on_delivery=answered)
            if producer.flush(FLUSH_S) or failed:
                raise Unavailable(f"topic {self.name}: {failed[0] if failed else 'Kafka does not answer'}")
        except (KafkaException, BufferError) as error:
            raise Unavailable(f"topic {self.name}: {error}") from error

    def _opened(self) -> Producer:
        if self._producer is None:
            config = client_config(self._settings, f"eskit-dlq-{self._consumer}")
            _make(AdminClient(config), self.name)
            ours = {"enable.idempotence": True, "acks": "all", "message.timeout.ms": round(FLUSH_S * 900)}
            self._producer = Producer({**config, **ours})
        return self._producer


def _make(admin: AdminClient, name: str) -> None:
    """The topic, with the brokers' own replication; one partition, since letters should be few."""
    try:
        admin.create_topics([NewTopic(name, 1)], request_timeout=3)[name].result()
    except KafkaException as error:
        if error.args[0].code() not in LET_PASS:
            raise


def _told(consumer: str, source: Owner, letter: Letter) -> record.Headers:
    cause = letter.cause
    told = {
        "consumer": consumer,
        "topic": source.topic,
        "partition": str(source.partition),
        "offset": str(letter.offset),
        "position": "" if letter.position is None else str(letter.position),
        "failed": "true" if letter.failed else "false",
        "error_type": cause.error_type,
        "error": cause.error,
        "traceback_hash": cause.traceback_hash,
        "attempts": str(cause.attempts),
    }
    return [(f"eskit_{name}", value.encode()) for name, value in told.items()]
