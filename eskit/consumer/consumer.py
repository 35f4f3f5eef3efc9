"""A consumer as its user declares it."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry

from eskit import names
from eskit.client.offsets import OffsetsClient
from eskit.consumer.config import Start, Tuning, kafka_config
from eskit.consumer.delivery.catchup import CatchUp
from eskit.consumer.delivery.routes import Record, Routes
from eskit.consumer.delivery.worker import Surroundings
from eskit.consumer.hooks import Hook
from eskit.consumer.metrics import ConsumerCollector
from eskit.consumer.runtime import Plan, Runtime
from eskit.consumer.stats import Stats
from eskit.errors import EskitError, Unavailable
from eskit.events import Event
from eskit.settings import Settings

OnEvent = TypeVar("OnEvent", bound=Callable[[Event], Awaitable[None]])
OnRecord = TypeVar("OnRecord", bound=Callable[[Record], Awaitable[None]])
OnPartitions = TypeVar("OnPartitions", bound=Hook)

# One attempt; how often to try is the runtime's business.
CALL_S = 5.0


class Consumer:
    """Hands events to handlers: in order within a partition, each at least once, duplicates of the topic dropped.

    An offset moves only after the handlers of its event have returned. A handler that raises is called again, with
    growing pauses, until it returns: its partition waits, others go on.

    `name`: of the consumer; all its processes share the partitions. `start`: where to read a partition of which nothing
    is saved. `in_memory`: the effect of the handlers is this process's memory, so each partition is read from its
    beginning whenever this process gets it. `session_timeout_s`: how long a silent process keeps its partitions.
    """

    def __init__(
        self,
        name: str,
        *,
        start: Start = "beginning",
        in_memory: bool = False,
        session_timeout_s: float = 10.0,
        tuning: Tuning = Tuning(),  # noqa: B008 - immutable
    ) -> None:
        """Declare; raises InvalidRequest for a wrong name."""
        self.name = names.consumer(name)
        self.stats = Stats()
        self._start = start
        self._in_memory = in_memory
        self._session_timeout_s = session_timeout_s
        self._tuning = tuning
        self._routes = Routes()
        self._on_assigned: list[Hook] = []
        self._on_revoked: list[Hook] = []
        self._catch_up = CatchUp()
        self._runtime: Runtime | None = None
        self._stop_wanted = False

    def on(self, *selectors: str) -> Callable[[OnEvent], OnEvent]:
        """Declare a handler for the events that any of the selectors wants; for all without one."""

        def declare(function: OnEvent) -> OnEvent:
            async def call(record: Record) -> None:
                await function(record.event)

            self._routes.add(selectors, call)
            return _async(function)

        return declare

    def on_record(self, *selectors: str) -> Callable[[OnRecord], OnRecord]:
        """As `on`, for a handler that takes a `Record`: the event, its partition and its offset."""

        def declare(function: OnRecord) -> OnRecord:
            self._routes.add(selectors, function)
            return _async(function)

        return declare

    def on_assigned(self, function: OnPartitions) -> OnPartitions:
        """Declare what is called with a set of partitions before their first event. An error ends the consumer."""
        self._on_assigned.append(_async(function))
        return function

    def on_revoked(self, function: OnPartitions) -> OnPartitions:
        """Declare what is called with a set of partitions after their last event. An error ends the consumer."""
        self._on_revoked.append(_async(function))
        return function

    def run(self, settings: Settings, registry: CollectorRegistry | None = None) -> Coroutine[Any, Any, None]:
        """Consume until cancelled or stopped; then finish the events at work, commit, leave the group.

        Metrics go into the registry, if there is one. Raises what must not be passed over: OffsetOutOfRange,
        UndecodableRecord, OffsetRegression, SettingsError, a hook's own error; not that Kafka or a service is away.
        """
        # Not a coroutine function itself: a `stop` counts from here on, also before a task's first step.
        self._stop_wanted = False
        return self._run(settings, registry)

    async def _run(self, settings: Settings, registry: CollectorRegistry | None) -> None:
        if self._runtime is not None:
            raise EskitError(f"consumer {self.name} is running already")
        if not self._routes:
            raise EskitError(f"consumer {self.name} has no handlers")
        plan = Plan(
            name=self.name,
            topic=settings.topic,
            kafka=kafka_config(settings, self.name, self._session_timeout_s),
            at_end=self._start == "end" and not self._in_memory,
            in_memory=self._in_memory,
            on_assigned=self._on_assigned,
            on_revoked=self._on_revoked,
        )
        collector = ConsumerCollector(self)
        async with OffsetsClient(settings.offsets_url, timeout_s=CALL_S, patience_s=0, connections=4) as client:
            around = Surroundings(self._routes, self.stats, self._catch_up, self._tuning, lambda: None)
            self._runtime = Runtime(plan, client, around)
            if registry is not None:
                registry.register(collector)
            try:
                if not self._stop_wanted:
                    await self._runtime.run()
            finally:
                self._runtime = None
                if registry is not None:
                    registry.unregister(collector)

    def stop(self) -> None:
        """Let `run` finish and return, also when its task has not begun yet."""
        self._stop_wanted = True
        if self._runtime is not None:
            self._runtime.stop()

    @property
    def runtime(self) -> Runtime | None:
        """The run in progress."""
        return self._runtime

    @property
    def partitions(self) -> set[int]:
        """The partitions that this process reads now."""
        return set(self._runtime.workers) if self._runtime else set()

    def replaying(self, partition: int) -> bool:
        """Whether an `in_memory` consumer has yet to read again some of what its consumer had committed before."""
        worker = self._runtime.workers.get(partition) if self._runtime else None
        return worker is None or worker.progress.replaying

    async def caught_up(self, head: int) -> None:
        """Return when this process has handled every event of the log up to position `head`.

        For an `in_memory` consumer that is its group's only member: it counts, since positions are 1, 2, 3 … without
        holes. With other members, which have the rest of the partitions, it never returns.
        """
        if not self._in_memory:
            raise EskitError("caught_up is for consumers with in_memory=True: others start where they once stopped")
        await self._catch_up.reached(head)

    async def check(self) -> None:
        """Readiness: raises Unavailable that says which partition stalls and why, or what is away."""
        if self._runtime is None:
            raise Unavailable(f"consumer {self.name} does not run")
        await self._runtime.check()


_F = TypeVar("_F", bound=Callable[..., object])


def _async(function: _F) -> _F:
    is_async: bool = inspect.iscoroutinefunction(function)
    if not is_async:
        raise TypeError(f"{function!r} must be an async function: anything else would hold up every partition")
    return function
