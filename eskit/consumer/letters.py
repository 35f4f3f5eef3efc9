"""The letters of a partition as the offsets service keeps them, and their copies in a topic for whoever listens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from eskit.client.letters import DeadLetters
from eskit.consumer.dead_letter_topic import DeadLetterTopic
from eskit.consumer.delivery.failures import Failure
from eskit.consumer.delivery.items import Item
from eskit.consumer.delivery.parking import Aside
from eskit.consumer.delivery.routes import Record, Routes
from eskit.kafka import record
from eskit.letters import Cause, FailedAgain, Header, Kept, Letter, Owner

PAGE = 50


class KeptMessage(NamedTuple):
    """The record of a letter, as the handlers' side takes it."""

    kept: Kept

    def offset(self) -> int:
        return self.kept.offset

    def value(self) -> bytes | None:
        return self.kept.value

    def headers(self) -> record.Headers:
        return [(header.name, header.value) for header in self.kept.headers or []]


class ServiceLetters:
    """As `Letters` says, by one claim."""

    def __init__(
        self, client: DeadLetters, topic: DeadLetterTopic, routes: Routes, consumer: str, owner: Owner
    ) -> None:
        self._client = client
        self._topic = topic
        self._routes = routes
        self._consumer = consumer
        self._owner = owner

    async def parked(self) -> dict[str, int]:
        """As Letters says."""
        return await self._parked(retry=None)

    async def wanted_back(self) -> list[str]:
        """As Letters says."""
        return list(await self._parked(retry=True))

    async def _parked(self, *, retry: bool | None) -> dict[str, int]:
        found: dict[str, int] = {}
        after: str | None = None
        owner = self._owner
        while True:
            page = await self._client.parked(
                self._consumer, count=False, topic=owner.topic, partition=owner.partition, retry=retry, after=after
            )
            found |= {one.key: one.first_offset for one in page.parked}
            after = page.next
            if after is None:
                return found

    async def add(self, letters: Sequence[Aside]) -> None:
        """As Letters says."""
        given = [_letter(aside) for aside in letters]
        await self._client.set_aside(self._consumer, self._owner, given)
        await self._topic.publish(self._owner, given)

    async def first(self, key: str, above: int) -> list[Item]:
        """As Letters says."""
        owner = self._owner
        after = f"{owner.topic}/{owner.partition}/{above}" if above >= 0 else None
        page = await self._client.letters(self._consumer, limit=PAGE, topic=owner.topic, partition=owner.partition,
                                          key=key, with_record=True, after=after)  # fmt: skip
        return [self._item(kept) for kept in page.letters]

    async def done(self, key: str, offset: int) -> None:  # noqa: ARG002 - of the interface
        """As Letters says."""
        await self._client.done(self._consumer, self._owner, offset)

    async def failed(self, key: str, offset: int, failure: Failure) -> None:
        """As Letters says."""
        await self._client.failed(self._consumer, FailedAgain(self._owner, offset, key, _cause(failure)))

    async def unpark(self, key: str) -> bool:
        """As Letters says."""
        return await self._client.unpark(self._consumer, self._owner, key)

    def _item(self, kept: Kept) -> Item:
        message = KeptMessage(kept)
        try:
            event = record.decode(kept.value)
        except record.UndecodableRecord as error:
            return Item(message, kept.offset, 0, problem=error)
        calls = self._routes.of(event.entity_type, event.action)
        return Item(message, kept.offset, event.position, Record(event, kept.partition, kept.offset), calls)


def _letter(aside: Aside) -> Letter:
    item = aside.item
    event = item.record.event if item.record else None
    headers = [Header(name, v.encode() if isinstance(v, str) else v) for name, v in item.message.headers() or []]
    return Letter(
        offset=item.offset,
        key=item.key,
        failed=aside.failure is not None,
        position=event.position if event else None,
        event_type=event.event_type if event else None,
        event_id=str(event.event_id) if event else None,
        cause=_cause(aside.failure) if aside.failure else Cause(),
        value=item.message.value(),
        headers=headers,
    )


def _cause(failure: Failure) -> Cause:
    kind, text, hashed, attempts = failure
    return Cause(error_type=kind[:300], error=text, traceback_hash=hashed, attempts=attempts)
