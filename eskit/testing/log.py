"""An application log in memory: its records are those that the relay would publish."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

import msgspec

from eskit import names, times
from eskit.events import Event, Stored
from eskit.kafka import record
from eskit.kafka.murmur2 import partition
from eskit.testing.letters import KeptLetters
from eskit.testing.offsets import KeptOffsets

_IDS = UUID("6f2c1a52-7f0e-4d0c-9c86-1d0d7b6c3b11")


class Message:
    """One record, with what the runtime uses of Kafka's."""

    __slots__ = ("_headers", "_offset", "_value")

    def __init__(self, offset: int, value: bytes | None, headers: record.Headers) -> None:
        self._offset = offset
        self._value = value
        self._headers = headers

    def __len__(self) -> int:
        return len(self._value or b"")

    def offset(self) -> int:
        """Its place in the partition."""
        return self._offset

    def value(self) -> bytes | None:
        """The event, encoded."""
        return self._value

    def headers(self) -> record.Headers:
        """CloudEvents headers."""
        return self._headers

    def timestamp(self) -> tuple[int, int]:
        """Not known."""
        return 0, 0


class Log:
    """Events in order, in partitions by their originators; with what its consumers keep beside."""

    def __init__(self, partitions: int = 6, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """`clock`: what `recorded_at` is taken from."""
        self.partitions: list[list[Message]] = [[] for _ in range(partitions)]
        self.offsets = KeptOffsets()
        self.letters = KeptLetters()
        self.groups: dict[str, Any] = {}
        self.views: set[str] = set()  # consumers that have a view of this log
        self.events: list[Event] = []
        self.stored: list[Stored] = []  # the same as the event store has them: each position once
        self.append_sizes: list[int] = []  # of an append's first event: how many it had; 0 for its others
        self.appended: list[Callable[[int, Message], None]] = []
        self.streams: dict[tuple[str, str], list[Stored]] = {}  # by entity type and originator
        self.by_id: dict[str, Stored] = {}  # by event id
        self._source = record.Source("main")
        self._clock = clock

    def append(
        self,
        event_type: str,
        originator_id: str,
        payload: Any = None,
        *,
        metadata: dict[str, str] | None = None,
        occurred_on: datetime | None = None,
    ) -> Event:
        """One more event; `payload` is anything that JSON can hold. Raises InvalidRequest for wrong names."""
        kind = names.event_type(event_type)
        names.originator_id(originator_id)
        position, now = len(self.stored) + 1, self.now_us()
        stored = Stored(
            position=position,
            event_id=str(uuid5(_IDS, str(position))),
            entity_type=kind.entity_type,
            originator_id=originator_id,
            version=self.version(kind.entity_type, originator_id) + 1,
            action=kind.action,
            payload=msgspec.json.encode({} if payload is None else payload).decode(),
            metadata=msgspec.json.encode(metadata or {}).decode(),
            occurred_on_us=now if occurred_on is None else times.micros(occurred_on),
            recorded_at_us=now,
        )
        self.add(stored)
        return self.events[-1]

    def version(self, entity_type: str, originator_id: str) -> int:
        """Of a stream; 0 where there is none."""
        return len(self.streams.get((entity_type, originator_id), ()))

    def now_us(self) -> int:
        """When an event that comes now is recorded: never before the last one, also when the clock goes back."""
        return max(times.micros(self._clock()), self.stored[-1].recorded_at_us if self.stored else 0)

    def add(self, stored: Stored, append_size: int = 1) -> None:
        """The event of the next position, of the next version of its stream."""
        self.append_sizes.append(append_size)
        self.streams.setdefault((stored.entity_type, stored.originator_id), []).append(stored)
        self.by_id[stored.event_id] = stored
        self.stored.append(stored)
        self.publish(stored)

    def publish(self, stored: Stored) -> None:
        """One more record, whatever its position: a relay may publish an event twice."""
        made = self._source.record(stored)
        self.events.append(record.decode(made.value))
        self._add(partition(stored.originator_id, len(self.partitions)), made.value, made.headers)

    def add_raw(self, number: int, value: bytes | None) -> None:
        """A record that is no event of ours."""
        self._add(number, value, [])

    def _add(self, number: int, value: bytes | None, headers: record.Headers) -> None:
        message = Message(len(self.partitions[number]), value, headers)
        self.partitions[number].append(message)
        for told in self.appended:
            told(number, message)
