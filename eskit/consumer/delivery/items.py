"""From records to what is to be done with them: nothing for a duplicate or a record that no handler wants."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from eskit.consumer.delivery.progress import Progress
from eskit.consumer.delivery.routes import Call, Record, Routes
from eskit.consumer.stats import Stats
from eskit.kafka import record
from eskit.letters import UNREADABLE


class Message(Protocol):
    """What is used of a confluent_kafka.Message; letters, and a log in memory, have records of their own."""

    def offset(self) -> int | None: ...

    def value(self) -> Any: ...

    def headers(self) -> Any: ...


class Item(NamedTuple):
    """One record of the partition. Without `calls` and `problem` there is nothing to do but to go on."""

    message: Message
    offset: int
    position: int  # 0: unknown
    record: Record | None = None
    calls: tuple[Call, ...] = ()
    problem: record.UndecodableRecord | None = None
    seen_before: bool = False

    @property
    def key(self) -> str:
        """The originator's id."""
        return self.record.event.originator.id if self.record else UNREADABLE


class Intake:
    """Reads the records of one partition in their order."""

    def __init__(self, routes: Routes, stats: Stats, progress: Progress) -> None:
        self._routes = routes
        self._stats = stats
        self._topic = progress.topic
        self._partition = progress.partition
        self._last_position = progress.last_position

    def item(self, message: Message) -> Item:
        """The next record."""
        offset = message.offset() or 0
        try:
            return self._read(message, offset)
        except record.UndecodableRecord as error:
            where = f"{self._topic} partition {self._partition} offset {offset}"
            problem = record.UndecodableRecord(f"{where}: {error.detail}")
            return Item(message, offset, 0, problem=problem)

    def _read(self, message: Message, offset: int) -> Item:
        value = message.value()
        if self._routes.selective:
            position = record.position(value or b"")
            if position <= self._last_position:
                return self._again(message, offset, position)
            # The headers tell without decoding whether anybody wants it.
            kind = record.event_type(message.headers())
            if kind is not None and not self._routes.of(*kind):
                return self._unwanted(message, offset, position)
        event = record.decode(value)
        position = event.position
        if position <= self._last_position:
            return self._again(message, offset, position)
        calls = self._routes.of(event.entity_type, event.action)
        if not calls:
            return self._unwanted(message, offset, position)
        self._last_position = position
        return Item(message, offset, position, Record(event, self._partition, offset), calls)

    def _again(self, message: Message, offset: int, position: int) -> Item:
        self._stats.dropped += 1
        return Item(message, offset, position, seen_before=True)

    def _unwanted(self, message: Message, offset: int, position: int) -> Item:
        self._last_position = position
        self._stats.filtered += 1
        return Item(message, offset, position)
