"""The producer of a relay: explicit partitions, idempotent, thrown away at the first doubt."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from eskit.errors import EskitError
from eskit.events import Stored
from eskit.kafka.config import client_config
from eskit.kafka.murmur2 import partition
from eskit.kafka.record import Source
from eskit.settings import Settings
from eventstore_svc.relay.cursor import Cursor

MOST_AT_ONCE = 1000
"""Events of one `send`: the window may be exceeded by so many."""
WINDOW_BYTES = 64 * 1024 * 1024
"""Values on their way to Kafka at once, beside the window in records."""
SERVE_EVERY = 200
"""Events between two looks at delivery reports, so that the producer's queue and ours do not grow apart."""


class Doubt(EskitError):
    """Something was not delivered as it should: only the topic knows what it has. Read its tail and start again."""

    code, title = "doubt", "Delivery in doubt"


class Publisher:
    """Sends events and follows their delivery in a Cursor. One thread uses it."""

    def __init__(self, settings: Settings, offsets: Sequence[int], cursor: Cursor, record_limit: int) -> None:
        """Starts a producer. `offsets`: the last one given out in each partition, -1: none. `record_limit` in bytes."""
        self._topic = settings.topic
        self._source = Source(settings.log)
        self._partitions = len(offsets)
        self._offsets = list(offsets)
        self._cursor = cursor
        self._window = settings.relay_window
        self._doubt: str | None = None
        self._progress = time.monotonic()
        config = client_config(settings, "eskit-relay") | {
            "enable.idempotence": True,
            "enable.gapless.guarantee": True,
            "acks": "all",
            "compression.type": "zstd",
            "linger.ms": 1,
            "batch.size": 1_000_000,
            # Never give up on a record: a time-out would leave a gap behind which later records follow.
            "message.timeout.ms": 0,
            "message.max.bytes": record_limit,
            "queue.buffering.max.messages": settings.relay_window + MOST_AT_ONCE + 1,
            "queue.buffering.max.kbytes": 4 * WINDOW_BYTES // 1024,
            "on_delivery": self._delivered,
        }
        self._producer = Producer(config)

    @property
    def full(self) -> bool:
        """Whether as much is on its way as may be."""
        return self._cursor.outstanding > self._window or self._cursor.outstanding_bytes > WINDOW_BYTES

    @property
    def stalled_s(self) -> float:
        """For how long nothing was delivered though something is on its way."""
        return time.monotonic() - self._progress if self._cursor.outstanding else 0.0

    def send(self, events: Sequence[Stored]) -> int:
        """Hand over what the topic lacks of these events, in order; how many. Raises Doubt."""
        sent = 0
        if not self._cursor.outstanding:
            self._progress = time.monotonic()
        topic, cursor, produce = self._topic, self._cursor, self._producer.produce
        for event in events:
            where = partition(event.originator_id, self._partitions)
            if cursor.wants(where, event.position):
                record = self._source.record(event)
                try:
                    produce(topic, record.value, record.key, where, headers=record.headers)
                except (BufferError, KafkaException) as error:
                    raise Doubt(f"the producer refused position {event.position}: {error}") from error
                cursor.sent(where, event.position, len(record.value))
                sent += 1
                if sent % SERVE_EVERY == 0:
                    self.serve()
            cursor.read = event.position
        self.serve()
        return sent

    def serve(self, timeout_s: float = 0.0) -> None:
        """Take delivery reports; raises Doubt when one is an error, or the producer has come to its end."""
        try:
            self._producer.poll(timeout_s)
        except KafkaException as error:
            raise Doubt(f"the producer has failed: {error.args[0]}") from error
        if self._doubt is not None:
            raise Doubt(self._doubt)

    def close(self, flush_s: float) -> None:
        """Give what is on its way `flush_s` seconds, then drop it."""
        with suppress(KafkaException):  # a producer that failed fatally says so again
            if flush_s:
                self._producer.flush(flush_s)
        with suppress(KafkaException):
            self._producer.purge(in_queue=True, in_flight=True, blocking=False)
            self._producer.poll(0)

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None or self._doubt is not None:
            # What follows an undelivered record does not count: the tail will tell.
            self._doubt = self._doubt or f"a record was not delivered: {error}"
            return
        where, offset = message.partition() or 0, message.offset()
        if offset is not None and offset <= self._offsets[where]:
            self._doubt = f"partition {where} gave out offset {offset} again: the topic was made anew"
            return
        self._offsets[where] = self._offsets[where] if offset is None else offset
        self._cursor.delivered(where)
        self._progress = time.monotonic()
