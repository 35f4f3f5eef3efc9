"""The one thread that owns the Kafka consumer, as the event loop sees it."""

from __future__ import annotations

import asyncio
import contextvars
import random
import threading
import time
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Any

from confluent_kafka import KafkaException

from eskit import logs
from eskit.consumer.group.bridge import Bridge
from eskit.consumer.group.membership import Membership, Source
from eskit.errors import EskitError, SettingsError, Unavailable

log = logs.get(__name__)

REJOIN_LEAST_S = 0.1
REJOIN_MOST_S = 10.0
STEADY_S = 60.0
# So long an answer about the brokers serves others too: while they are away, each question costs the thread seconds.
FRESH_S = 1.0
# The longest session that brokers grant by default is 60 s; who holds our instance_id for longer is alive.
HELD_MOST_S = 75.0
# A member that was not refused within this time is one.
HEARD_S = 2.0
ENDING = "the consumer is ending"


class Poller:
    """Everything public is for the event loop, and returns at once unless it is awaited."""

    def __init__(self, config: dict[str, Any], topic: str, bridge: Bridge) -> None:
        """Not started yet."""
        self._join = partial(Membership, config, topic, bridge)
        self._bridge = bridge
        self.room = threading.Event()
        self._commands: SimpleQueue[Callable[[Membership], None]] = SimpleQueue()
        self._stopping = threading.Event()
        self._rejoining = threading.Event()
        self._ended = asyncio.Event()
        # What is wrong with the brokers, empty: nothing. One question for all who ask meanwhile.
        self._answer: asyncio.Future[str] | None = None
        self._answered_s = 0.0
        # Why the brokers do not let us in, and since when; empty: they do.
        self._held = ""
        self._held_since = 0.0

    def start(self) -> None:
        """Start the thread, which joins the group."""
        # In our context: its log lines, and those of what it calls on the loop, carry what ours do.
        run = partial(contextvars.copy_context().run, self._run)
        threading.Thread(target=run, name="eskit-consumer", daemon=True).start()

    def read(self, sources: dict[int, Source]) -> None:
        """Fetch these partitions, as far as they are still ours."""
        self._commands.put(lambda member: member.read(sources))

    def rejoin(self) -> None:
        """Leave the group and join it anew: it then says afresh what is ours."""
        self._rejoining.set()

    async def stop(self) -> None:
        """Give the partitions back, leave the group, end the thread."""
        self._stopping.set()
        self.room.set()
        self._settle(ENDING)
        await self._ended.wait()

    async def check(self) -> None:
        """Raises Unavailable: brokers or topic are not there, the group does not let us in, the consumer is ending."""
        loop = asyncio.get_running_loop()
        if self._stopping.is_set() or self._ended.is_set():
            raise Unavailable(ENDING)
        if held := self._held:
            raise Unavailable(held)
        if self._answer is None or (self._answer.done() and loop.time() - self._answered_s > FRESH_S):
            self._answer = loop.create_future()
            self._commands.put(lambda member: self._bridge.tell(self._settle, member.check()))
        # Shielded: one who gives up waiting must not take the answer from the others.
        if wrong := await asyncio.shield(self._answer):
            raise Unavailable(wrong)

    def _settle(self, wrong: str) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(wrong)
            self._answered_s = asyncio.get_running_loop().time()

    def _end(self) -> None:
        self._ended.set()
        self._settle(ENDING)

    # All below runs in the thread.

    def _run(self) -> None:
        pause_s = REJOIN_LEAST_S
        try:
            while not self._stopping.is_set():
                joined = time.monotonic()
                self._rejoining.clear()
                self._be_member()
                # Two that fence each other by turns must not do so at full speed.
                pause_s = REJOIN_LEAST_S if time.monotonic() - joined > STEADY_S else min(pause_s * 2, REJOIN_MOST_S)
                self._stopping.wait(random.uniform(pause_s / 2, pause_s))  # noqa: S311 - spreads, keeps no secret
        except BaseException as error:
            if not isinstance(error, EskitError):
                log.exception("the Kafka thread has failed")
            self._bridge.failed(error)
        finally:
            self._bridge.tell(self._end)

    def _be_member(self) -> None:
        member = self._join(self.room)
        joined = time.monotonic()
        try:
            while not (self._leaving or member.ended):
                self._obey(member)
                member.step()
                if self._held and time.monotonic() - joined > HEARD_S:
                    self._held = ""
            self._note(member.held)
        except KafkaException as error:
            log.warning("the Kafka consumer starts afresh", error=error.args[0].str())
        finally:
            member.leave()

    def _note(self, held: str) -> None:
        """Raises SettingsError when it has lasted too long."""
        now = time.monotonic()
        if held and not self._held:
            self._held_since = now
        if held and now - self._held_since > HELD_MOST_S:
            raise SettingsError(f"{held}; each process of a consumer needs one of its own", field="instance_id")
        self._held = held

    @property
    def _leaving(self) -> bool:
        return self._stopping.is_set() or self._rejoining.is_set()

    def _obey(self, member: Membership) -> None:
        # As many as there are now: one that is to be tried again comes with the next turn.
        for _ in range(self._commands.qsize()):
            if self._leaving:
                return
            self._commands.get_nowait()(member)
