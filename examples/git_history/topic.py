"""Reads the application log's topic, as a consumer of its own."""

from __future__ import annotations

import asyncio
import time

from eskit.client.eventstore import EventStore
from eskit.consumer import Consumer, Record
from eskit.settings import Settings
from examples.git_history.stack import StackError
from examples.git_history.tree import Tree

STALL_S = 60.0
MAX_NAME = 100


class TopicReader:
    """A consumer whose effect is its memory: it reads every partition from the beginning, whenever it gets it."""

    def __init__(self, entity_type: str) -> None:
        # Named for the type, so that readers of different types do not share partitions.
        self.consumer = Consumer(f"git-history-tree-{entity_type}"[:MAX_NAME], in_memory=True)
        self.trees: dict[int, Tree] = {}
        self.first_event: float | None = None
        self.consumer.on_assigned(self._start_anew)
        self.consumer.on_record(f"{entity_type}.*")(self._take)

    async def _start_anew(self, partitions: set[int]) -> None:
        for partition in partitions:
            self.trees[partition] = Tree()

    async def _take(self, record: Record) -> None:
        if self.first_event is None:
            self.first_event = time.monotonic()
        self.trees[record.partition].apply(record.event)

    def seen(self) -> int:
        """How many events have come, those of other types too."""
        return self.consumer.stats.handled + self.consumer.stats.filtered

    def tree(self) -> Tree:
        """All partitions together. An entity's events are all in one of them."""
        whole = Tree()
        for tree in self.trees.values():
            whole.take_over(tree)
        return whole


async def fold(config: Settings, entity_type: str, until: int | None) -> tuple[Tree, float]:
    """The tree when the whole log up to a position (None: its end as of now) is in it, and the seconds it took from the
    first event on; raises StackError when the topic does not come so far.
    """
    if until is None:
        async with EventStore(config.eventstore_url) as events:
            until = (await events.head()).position
    reader = TopicReader(entity_type)
    running = asyncio.create_task(reader.consumer.run(config))
    caught_up = asyncio.create_task(reader.consumer.caught_up(until))
    try:
        while not caught_up.done():
            before = reader.seen()
            await asyncio.wait({running, caught_up}, timeout=STALL_S, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
            if not caught_up.done() and reader.seen() == before:
                raise StackError(
                    f"no event came for {STALL_S:.0f} s, {before} have come: does the relay run? And is this the only "
                    f"tree program of the type {entity_type}? Two at once share the partitions, and neither has all."
                )
        seconds = time.monotonic() - (reader.first_event or time.monotonic())
        return reader.tree(), seconds
    finally:
        caught_up.cancel()
        reader.consumer.stop()
        await asyncio.wait({running})
