"""A consumer group in memory: its members share the partitions of a log, and share them anew when one comes or goes."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from typing import Any, cast

from eskit.consumer.group.bridge import Callbacks
from eskit.consumer.group.membership import Source
from eskit.testing.log import Log, Message


class Group:
    """Its members, in the order of their coming."""

    def __init__(self, partitions: int) -> None:
        self._partitions = range(partitions)
        self._members: list[Member] = []
        self._turn = asyncio.Lock()

    async def join(self, member: Member) -> None:
        """One more: it gets its share when the others have given it up."""
        async with self._turn:
            self._members.append(member)
            await self._share()

    async def leave(self, member: Member) -> None:
        """One less: what it had goes to the others."""
        async with self._turn:
            if member in self._members:
                self._members.remove(member)
                await member.give_up(set(member.owned))
                await self._share()

    async def _share(self) -> None:
        shares: dict[Member, set[int]] = defaultdict(set)
        for number in self._partitions:
            if self._members:
                shares[self._members[number % len(self._members)]].add(number)
        for member in self._members:
            await member.give_up(member.owned - shares[member])
        for member in self._members:
            member.take(shares[member] - member.owned)


class Member:
    """As `means.Group` says."""

    def __init__(self, log: Log, name: str, callbacks: Callbacks) -> None:
        self.room = threading.Event()
        self.owned: set[int] = set()
        self._log = log
        self._group: Group = log.groups.setdefault(name, Group(len(log.partitions)))
        self._callbacks = callbacks
        self._sources: dict[int, Source] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Join."""
        self._log.appended.append(self._appended)
        self._spawn_join()

    def _spawn_join(self) -> None:
        task = asyncio.get_running_loop().create_task(self._group.join(self))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def read(self, sources: dict[int, Source]) -> None:
        """Fetch these partitions, as far as they are still ours."""
        for number, source in sources.items():
            if number in self.owned and not source.inbox.closed:
                self._sources[number] = source
                source.inbox.put(cast("Any", self._log.partitions[number][source.offset or 0 :]))

    def _appended(self, number: int, message: Message) -> None:
        if number in self._sources:
            self._sources[number].inbox.put(cast("Any", [message]))

    def take(self, partitions: set[int]) -> None:
        """These are ours now."""
        if partitions:
            self.owned |= partitions
            self._callbacks.assigned(frozenset(partitions))

    async def give_up(self, partitions: set[int]) -> None:
        """Returns when they stand still."""
        if partitions:
            self.owned -= partitions
            await self._callbacks.revoked(frozenset(partitions))
            for number in partitions:
                self._sources.pop(number, None)

    def rejoin(self) -> None:
        """Leave and join anew."""
        task = asyncio.get_running_loop().create_task(self._anew())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _anew(self) -> None:
        await self._group.leave(self)
        await self._group.join(self)

    async def check(self) -> None:
        """Nothing can be wrong with it."""

    async def stop(self) -> None:
        """Give everything back and leave."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._group.leave(self)
        self._log.appended.remove(self._appended)
