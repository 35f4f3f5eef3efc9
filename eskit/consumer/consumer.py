"""A consumer as its user declares it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any, Literal, TypeVar

from prometheus_client import CollectorRegistry

from eskit import names
from eskit.consumer.assignment import Plan
from eskit.consumer.config import GroupOptions, Protocol, Start, Tuning
from eskit.consumer.declaring import Declared, checked
from eskit.consumer.delivery.catchup import CatchUp
from eskit.consumer.delivery.policy import OnError, Policy
from eskit.consumer.delivery.routes import Routes
from eskit.consumer.delivery.worker import Delivery, Surroundings
from eskit.consumer.kafka_means import kafka_means
from eskit.consumer.means import Means
from eskit.consumer.metrics import registered
from eskit.consumer.runtime import Runtime
from eskit.consumer.stats import Stats
from eskit.consumer.transactions.target import Target, UserPool, View, open_view
from eskit.errors import EskitError, SettingsError, Unavailable
from eskit.events import Event
from eskit.settings import Settings, load

Function = TypeVar("Function", bound=Callable[..., Any])
Until = Literal["head"]


class Consumer:
    """Hands events to handlers, in order for each originator; duplicates of the topic are dropped.

    Each event has its effect at least once: its offset moves only after its handlers have returned. With `transaction`
    (a `Target`, or a psycopg pool of one's own) it is exactly once: handlers get a connection as second argument, and
    what they do with it and the offset are one transaction.
    """

    def __init__(  # noqa: PLR0913 - what a user may choose, each by its name
        self,
        name: str,
        *,
        start: Start = "beginning",
        transaction: Target | UserPool | None = None,
        concurrency: int = 1,
        on_error: OnError | None = None,
        in_memory: bool = False,
        protocol: Protocol = "classic",
        instance_id: str | None = None,
        session_timeout_s: float = 10.0,
        tuning: Tuning = Tuning(),  # noqa: B008 - immutable
    ) -> None:
        """Declare; raises InvalidRequest for a wrong name, SettingsError for what does not go together.

        `name`: of the consumer; all its processes share the partitions. `start`: where to read a partition of which
        nothing is saved. `concurrency`: so many originators at a time within a partition. `on_error`: for a class of
        exceptions a Retry, DeadLetter or Stop; the nearest class counts. `in_memory`: the effect is this process's
        memory, so each partition is read from its beginning whenever this process gets it. `protocol`, `instance_id`,
        `session_timeout_s`: of the group; how long a silent process keeps its partitions.
        """
        self.name = names.consumer(name)
        self.stats = Stats()
        self.transaction = transaction
        self._start = start
        self._in_memory = in_memory
        self._concurrency = concurrency
        self._on_error = dict(on_error or {})
        self._group = GroupOptions(protocol, instance_id, session_timeout_s, tuning.handover_s).checked()
        self._tuning = tuning
        self._declared = Declared(self.name, transactions=transaction is not None)
        self._catch_up = CatchUp()
        self._runtime: Runtime | None = None
        self._stop_wanted = False
        if concurrency < 1 or (concurrency > 1 and (transaction is not None or in_memory)):
            message = (
                "concurrency must be 1 or more; with transaction or in_memory, a partition's events are one sequence"
            )
            raise SettingsError(message, field="concurrency")
        if transaction is not None and in_memory:
            raise SettingsError("transaction and in_memory exclude one another", field="transaction")

    def on(self, *selectors: str) -> Callable[[Function], Function]:
        """Declare a handler for the events that any of the selectors wants; for all without one."""
        return lambda function: self._declared.events(function, selectors)

    def on_record(self, *selectors: str) -> Callable[[Function], Function]:
        """As `on`, for a handler that takes a `Record`: the event, its partition and its offset."""
        return lambda function: self._declared.records(function, selectors)

    def on_batch(self, *selectors: str) -> Callable[[Function], Function]:
        """As `on`, for a handler that takes a list of events of one partition, in order."""
        return lambda function: self._declared.event_batches(function, selectors)

    def on_record_batch(self, *selectors: str) -> Callable[[Function], Function]:
        """As `on_batch`, for a handler that takes a list of Records."""
        return lambda function: self._declared.record_batches(function, selectors)

    def on_schema(self, function: Function) -> Function:
        """Declare what makes the view's tables, if they are not there: called with a connection at each start."""
        self._declared.prepares.append(checked(function, None))
        return function

    def on_assigned(self, function: Function) -> Function:
        """Declare what is called with a set of partitions before their first event. An error ends the consumer."""
        self._declared.assigned.append(checked(function, None))
        return function

    def on_revoked(self, function: Function) -> Function:
        """Declare what is called with a set of partitions after their last event. An error ends the consumer."""
        self._declared.revoked.append(checked(function, None))
        return function

    def copy(self, name: str, schema: str) -> Consumer:
        """The same handlers under another name, into another schema of the same database, from the beginning.

        A Consumer(start="end") begins at the very beginning: where the end was then is not known. Raises SettingsError
        for a consumer that is not exactly-once by a Target, InvalidRequest for a wrong name or schema.
        """
        if not isinstance(self.transaction, Target):
            message = f"{self.name} has no transaction=Target(…): only a view with a schema of its own can be copied"
            raise SettingsError(message, field="transaction")
        start: Start = "beginning" if self._start == "end" else self._start
        target = Target(names.schema(schema), self.transaction.url)
        twin = Consumer(name, start=start, transaction=target, on_error=self._on_error, protocol=self._group.protocol,
                        session_timeout_s=self._group.session_timeout_s, tuning=self._tuning)  # fmt: skip
        twin._declared = self._declared
        return twin

    def run(
        self, settings: Settings | None = None, registry: CollectorRegistry | None = None, *, until: Until | None = None
    ) -> Coroutine[Any, Any, None]:
        """Consume until cancelled or stopped; then finish the events at work, commit, leave the group.

        `settings`: those of the environment by default. `until="head"`: return when everything is done that is in the
        topic now. Metrics go into the registry, if there is one. Raises what must not be passed over: OffsetOutOfRange,
        TopicChanged, HandlerStopped, OffsetRegression, SettingsError, a hook's own error; not that Kafka, a service or
        the view's database is away.
        """
        # Not a coroutine function itself: a `stop` counts from here on, also before a task's first step.
        self._stop_wanted = False
        return self._run(load() if settings is None else settings, registry, until)

    async def _run(self, settings: Settings, registry: CollectorRegistry | None, until: Until | None) -> None:
        async with self.view(settings) as view:
            means = kafka_means(settings, self.name, self._group, self._declared.routes)
            async with means as opened:
                with registered(self, registry):
                    await self.run_on(opened, settings.topic, view=view, until=until)

    @asynccontextmanager
    async def view(self, settings: Settings) -> AsyncIterator[View | None]:
        """The view of `transaction`, open; None without one. Raises SettingsError."""
        if self.transaction is None:
            yield None
            return
        async with open_view(self.transaction, settings, self.name) as view:
            yield view

    async def run_on(self, means: Means, topic: str, *, view: View | None = None, until: Until | None = None) -> None:
        """Consume with these means, as `run` does: for tests, and for logs that are not in Kafka."""
        if self._runtime is not None:
            raise EskitError(f"consumer {self.name} is running already")
        if not self._declared.routes:
            raise EskitError(f"consumer {self.name} has no handlers")
        self._runtime = Runtime(self._plan(topic), means, self._around(view))
        try:
            if not self._stop_wanted:
                await self._runtime.run(until_head=until == "head")
        finally:
            self._runtime = None

    async def replay(self, events: Iterable[Event]) -> None:
        """Hand these events to the handlers, by the same rules, as if they were all of the log; for tests.

        A consumer with `transaction` finds its database as `run` does. Raises HandlerStopped, also for an event that
        would be set aside.
        """
        from eskit.testing.consuming import replay  # noqa: PLC0415 - the testing kit is built on this module

        await replay(self, events)

    def _plan(self, topic: str) -> Plan:
        declared = self._declared
        return Plan(
            self.name, topic, self._start, self._in_memory, declared.assigned, declared.revoked, declared.prepares
        )

    def _around(self, view: View | None) -> Surroundings:
        policy = Policy.of(self._on_error, self._tuning, in_memory=self._in_memory)
        catch_up = self._catch_up if self._in_memory else None
        delivery = Delivery(self._concurrency, self._declared.batches, view)
        return Surroundings(self._declared.routes, self.stats, catch_up, self._tuning, policy, delivery, lambda _: None)

    def stop(self) -> None:
        """Let `run` finish and return, also when its task has not begun yet."""
        self._stop_wanted = True
        if self._runtime is not None:
            self._runtime.stop()

    @property
    def routes(self) -> Routes:
        """The handlers, by what they want."""
        return self._declared.routes

    @property
    def batches(self) -> bool:
        """Whether the handlers take lists of events."""
        return self._declared.batches

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
