"""The handlers and hooks of a consumer, as its user declares them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from eskit.consumer.delivery.routes import Call, Record, Routes
from eskit.consumer.hooks import Hook
from eskit.consumer.tracing import traced
from eskit.consumer.transactions.target import Prepare
from eskit.errors import EskitError

Function = TypeVar("Function", bound=Callable[..., Any])


class Declared:
    """What a consumer has to call. With `transactions`, handlers get a connection as their second argument."""

    def __init__(self, name: str, *, transactions: bool) -> None:
        """Nothing yet; `name`: of the consumer."""
        self._name = name
        self.routes = Routes()
        self.batches = False
        self.prepares: list[Prepare] = []
        self.assigned: list[Hook] = []
        self.revoked: list[Hook] = []
        self._more = (None,) if transactions else ()

    def events(self, function: Function, selectors: tuple[str, ...]) -> Function:
        """A handler that takes an event."""

        def call(record: Record, *more: Any) -> Any:
            return function(record.event, *more)

        return self._add(function, selectors, call, batches=False)

    def records(self, function: Function, selectors: tuple[str, ...]) -> Function:
        """A handler that takes a Record."""
        return self._add(function, selectors, function, batches=False)

    def event_batches(self, function: Function, selectors: tuple[str, ...]) -> Function:
        """A handler that takes a list of events."""

        def call(records: list[Record], *more: Any) -> Any:
            return function([record.event for record in records], *more)

        return self._add(function, selectors, call, batches=True)

    def record_batches(self, function: Function, selectors: tuple[str, ...]) -> Function:
        """A handler that takes a list of Records."""
        return self._add(function, selectors, function, batches=True)

    def _add(self, function: Function, selectors: tuple[str, ...], call: Call, *, batches: bool) -> Function:
        checked(function, None, *self._more)
        if self.routes and self.batches != batches:
            raise EskitError("a consumer's handlers take either single events or batches of them, not both")
        self.batches = batches
        self.routes.add(selectors, traced(call, self._name, batches=batches))
        return function


def checked(function: Function, *arguments: Any) -> Function:
    """An async function that can be called with so many arguments; raises TypeError."""
    if not inspect.iscoroutinefunction(function):
        raise TypeError(f"{function!r} must be an async function: anything else would hold up every partition")
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError:
        wanted = ("an event (or record, or list)", "a connection")[: len(arguments)]
        raise TypeError(f"{function!r} must take {' and '.join(wanted)}, and nothing else") from None
    return function
