"""One membership of the consumer group, from joining to leaving: what is ours, records into inboxes, back-pressure.

An assignment is accepted with nothing in it, and its partitions are added when the event loop has claimed them. So the
Kafka thread never waits for the offsets service: it goes on polling, the group keeps the member however long a claim
takes, and the partitions claimed before flow on. A revocation does wait, within bounds: the partitions may go to
somebody else only when their handlers stand still and what they did is committed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import confluent_kafka
from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException, Message, TopicPartition

from eskit import logs
from eskit.consumer.errors import OffsetOutOfRange
from eskit.consumer.group import refusals
from eskit.consumer.group.bridge import Bridge, Partitions
from eskit.consumer.group.inbox import Inbox, Marks
from eskit.errors import SettingsError

log = logs.get(__name__)

BATCH = 500
POLL_S = 0.1
POLL_PAUSED_S = 0.02
# For a handler that is only a little slower than Kafka, waiting is cheaper than a pause, which drops fetched records.
PATIENCE_S = 0.05
METADATA_S = 3.0
# So often the inboxes learn how long their partitions are.
MARKS_S = 1.0


class Source(NamedTuple):
    """Where to read a claimed partition from; without an offset, from the topic's beginning."""

    inbox: Inbox
    offset: int | None


class Membership:
    """Belongs to the Kafka thread altogether."""

    def __init__(self, config: dict[str, Any], topic: str, bridge: Bridge, room: threading.Event) -> None:
        """Join; `room` is set by an inbox that was full. Raises SettingsError."""
        self._topic = topic
        self._bridge = bridge
        self._room = room
        self._owned: set[int] = set()
        self._inboxes: dict[int, Inbox] = {}
        self._paused: set[int] = set()
        self._marked_s = 0.0
        self.ended = False
        # Why the brokers do not let us in yet; empty: they do, or have not answered.
        self.held = ""
        self._shut_out = ""
        self._refusals = refusals.Refusals(config)
        try:
            self._consumer = confluent_kafka.Consumer(config)
        except KafkaException as error:
            raise SettingsError(f"Kafka's options are wrong: {error.args[0].str()}") from error
        self._consumer.subscribe([topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost)

    def leave(self) -> None:
        """Give the partitions back and leave the group; a static member leaves it to the brokers when."""
        try:
            self._consumer.close()
        except KafkaException as error:
            log.warning("the Kafka consumer has not ended in good order", error=error.args[0].str())
        finally:
            if self._owned:  # it closed without a word, as after a fatal error
                self._bridge.lost(frozenset(self._owned))

    def step(self) -> None:
        """Take what has come, 0.1 s at most. Raises KafkaException, SettingsError."""
        # consume(n, timeout) would wait out its whole time unless n records came.
        first = self._consumer.poll(POLL_PAUSED_S if self._paused else POLL_S)
        if first is not None:
            self._deliver([first, *self._consumer.consume(BATCH - 1, 0)])
        self._hold_back()
        self._let_go_on()
        self._mark()

    def _deliver(self, messages: list[Message]) -> None:
        batches: dict[int | None, list[Message]] = {}
        for message in messages:
            error = message.error()
            if error is None:
                batches.setdefault(message.partition(), []).append(message)
            else:
                self._on_error(error, message)
        for number, batch in batches.items():
            # Without an inbox: the partition was revoked while the batch was collected.
            inbox = self._inboxes.get(-1 if number is None else number)
            if inbox is not None and not inbox.closed:
                inbox.put(batch)

    def _hold_back(self) -> None:
        """Wait a moment for full inboxes, then pause their partitions."""
        deadline = time.monotonic() + PATIENCE_S
        while full := {p for p, inbox in self._inboxes.items() if inbox.full and p not in self._paused}:
            self._room.clear()
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                self._consumer.pause(self._at(full))
                self._paused |= full
            # Looked at again after `clear`: one that was emptied in between has set the event for nobody.
            elif all(self._inboxes[p].full for p in full):
                self._room.wait(left_s)

    def _let_go_on(self) -> None:
        resumed = {p for p in self._paused if self._inboxes[p].low}
        if resumed:
            self._consumer.resume(self._at(resumed))
            self._paused -= resumed

    def _mark(self) -> None:
        """Tell the inboxes what the latest answers said of their partitions; asks nobody."""
        if (now := time.monotonic()) < self._marked_s + MARKS_S:
            return
        self._marked_s = now
        for number, inbox in self._inboxes.items():
            low, high = self._consumer.get_watermark_offsets(TopicPartition(self._topic, number), cached=True)
            if high >= 0:  # there was an answer
                inbox.marks = Marks(max(low, 0), high)

    def _on_error(self, error: KafkaError, message: Message) -> None:
        if error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - the library's name for its own code
            where = f"{self._topic} partition {message.partition()}"
            detail = (
                f"{where}: the saved offset is not in the topic ({error.str()}). Records were removed from the topic, "
                "or it was made anew. Look at what was lost, then set the consumer's offset or start it by a new name"
            )
            self._bridge.failed(OffsetOutOfRange(detail))
        elif (wrong := self._refusals.wrong(error)) is not None:
            # Ends the thread: to join again would be refused again, or throw out who has a right to be there.
            raise wrong
        elif refusals.fatal(error):
            log.error("fatal Kafka error", error=error.str())
            self.held = self._refusals.held(error)
            self.ended = True
        else:
            self._shut_out = refusals.shut_out(error) or self._shut_out
            log.warning("Kafka", error=error.name(), detail=error.str())

    def _on_assign(self, _: confluent_kafka.Consumer, partitions: list[TopicPartition]) -> None:
        added = frozenset(p.partition for p in partitions)
        self._owned |= added
        self._shut_out = ""
        self._consumer.incremental_assign([])
        if added:
            self._bridge.assigned(added)

    def _on_revoke(self, _: confluent_kafka.Consumer, partitions: list[TopicPartition]) -> None:
        self._take_away(frozenset(p.partition for p in partitions), self._bridge.revoked)

    def _on_lost(self, _: confluent_kafka.Consumer, partitions: list[TopicPartition]) -> None:
        self._take_away(frozenset(p.partition for p in partitions), self._bridge.lost)

    def _take_away(self, removed: Partitions, tell: Callable[[Partitions], None]) -> None:
        self._owned -= removed
        tell(removed)
        # librdkafka keeps a pause beyond the assignment: a partition that comes back would never be read again.
        if paused := self._paused & removed:
            self._consumer.resume(self._at(paused))
            self._paused -= paused
        reading = [p for p in removed if self._inboxes.pop(p, None) is not None]
        self._consumer.incremental_unassign(self._at(reading))

    def read(self, sources: dict[int, Source]) -> None:
        """Fetch these partitions, as far as they are still ours."""
        starts: list[TopicPartition] = []
        for number, source in sources.items():
            # A closed inbox is that of an assignment which was revoked since, though a newer one may have followed.
            if number not in self._owned or source.inbox.closed:
                continue
            offset = OFFSET_BEGINNING if source.offset is None else source.offset
            starts.append(TopicPartition(self._topic, number, offset))
            self._inboxes[number] = source.inbox
        if starts:
            self._consumer.incremental_assign(starts)

    def check(self) -> str:
        """What is wrong with brokers, topic or group; empty: nothing."""
        try:
            topic = self._consumer.list_topics(self._topic, timeout=METADATA_S).topics[self._topic]
        except KafkaException as error:
            return f"Kafka cannot be reached: {error.args[0].str()}"
        return f"topic {self._topic}: {topic.error.str()}" if topic.error else self._shut_out

    def _at(self, partitions: Iterable[int]) -> list[TopicPartition]:
        return [TopicPartition(self._topic, p) for p in partitions]
