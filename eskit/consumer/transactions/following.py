"""A copy of a view brought to exact offsets, record by record, without a group."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import confluent_kafka
from confluent_kafka import KafkaError, Message, TopicPartition
from psycopg import AsyncConnection

from eskit.consumer.consumer import Consumer
from eskit.consumer.delivery.effects import in_batches, one_by_one
from eskit.consumer.delivery.items import Intake, Item
from eskit.consumer.delivery.progress import Progress
from eskit.consumer.transactions.target import ADVANCE, View
from eskit.errors import EskitError, Fenced, Unavailable
from eskit.offsets import Claim
from eskit.postgres.boundary import boundary

RECORDS = 500
READING: Mapping[str, Any] = {"auto.offset.reset": "error", "fetch.wait.max.ms": 10}
WAIT_S = 0.5


class Following:
    """Owns the copy's partitions by claims that have reached its view."""

    def __init__(
        self,
        copy: Consumer,
        view: View,
        claims: Mapping[int, Claim],
        beginnings: Mapping[int, int],
        reader: confluent_kafka.Consumer,
    ) -> None:
        """`reader`: of `seeking.reader`, with the options READING."""
        self._call = in_batches if copy.batches else one_by_one
        self._copy = copy
        self._view = view
        self._reader = reader
        self._progress = {number: Progress(view.topic, claim) for number, claim in claims.items()}
        self._intakes = {number: Intake(copy.routes, copy.stats, at) for number, at in self._progress.items()}
        self._beginnings = beginnings

    @property
    def offsets(self) -> dict[int, int]:
        """Where the copy stands in each partition."""
        return {
            number: self._beginnings[number] if at.next_offset is None else at.next_offset
            for number, at in self._progress.items()
        }

    @property
    def epochs(self) -> dict[int, int]:
        """Those of the claims."""
        return {number: at.epoch for number, at in self._progress.items()}

    async def up_to(self, ends: Mapping[int, int]) -> None:
        """Do every record below these offsets, and none above. Raises what a handler raises, Fenced, Unavailable."""
        offsets = self.offsets
        left = {number: end for number, end in ends.items() if end > offsets[number]}
        if not left:
            return
        self._reader.assign([TopicPartition(self._view.topic, number, offsets[number]) for number in left])
        while left:
            messages = await asyncio.to_thread(self._reader.consume, RECORDS, WAIT_S)
            for number, (records, at_end) in _by_partition(messages).items():
                if number not in left:
                    continue
                wanted = [record for record in records if (record.offset() or 0) < left[number]]
                if at_end or len(wanted) < len(records) or (wanted[-1].offset() or 0) == left[number] - 1:
                    await self._done(number, wanted, left.pop(number))
                else:
                    await self._done(number, wanted, (wanted[-1].offset() or 0) + 1)

    async def _done(self, number: int, messages: list[Message], next_offset: int) -> None:
        at = self._progress[number]
        items = [self._intakes[number].item(message) for message in messages]
        for item in items:
            if item.problem is not None:
                raise EskitError(f"{item.problem.detail}; let the copy run on: it sets such a record aside")
        wanted = [item for item in items if item.calls]
        position = max((item.position for item in items), default=0) or None
        moving = {"next_offset": next_offset, "position": position, "before": at.next_offset}
        values = self._view.at(number, epoch=at.epoch, **moving)
        async with self._view.pool.connection() as connection, connection.transaction():
            await self._effects(wanted, connection)
            with boundary():
                moved = await connection.execute(ADVANCE, values)
            if moved.rowcount != 1:
                raise Fenced(f"somebody else runs {self._copy.name}: stop that first", epoch=0)
        at.done(next_offset - 1, position or 0)

    async def _effects(self, items: list[Item], connection: AsyncConnection[Any]) -> None:
        try:
            with boundary():
                await self._call(items, connection)
        except EskitError:
            raise
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            message = f"a handler fails: {what}; let the copy run on: it does what its policy says"
            raise EskitError(message) from error


def _by_partition(messages: list[Message]) -> dict[int, tuple[list[Message], bool]]:
    """The records of each partition, and whether it has no more."""
    records: dict[int, list[Message]] = defaultdict(list)
    ended: set[int] = set()
    for message in messages:
        number = message.partition() or 0
        if (error := message.error()) is None:
            records[number].append(message)
        elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the library's name for its own code
            ended.add(number)
        else:
            raise Unavailable(f"Kafka: {error.str()}")
    return {number: (records[number], number in ended) for number in records.keys() | ended}
