"""Which handlers want which events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from eskit.events import Event
from eskit.selectors import Selector

# Types of events are few; should somebody make them up without end, the memory stays bounded.
MAX_CACHED = 10_000


class Record(NamedTuple):
    """An event and where it stood in the topic."""

    event: Event
    partition: int
    offset: int


# A handler as the effects call it: with a record, or with a list of them; and a connection, in transactions.
Call = Callable[..., Awaitable[None]]


class Handler(NamedTuple):
    """One handler and what it wants."""

    selector: Selector
    call: Call


class Routes:
    """The handlers of a consumer, in the order of their declaration."""

    def __init__(self) -> None:
        self._handlers: list[Handler] = []
        self._cache: dict[tuple[str, str], tuple[Call, ...]] = {}
        self.selective = True

    def __len__(self) -> int:
        return len(self._handlers)

    def add(self, selectors: tuple[str, ...], call: Call) -> None:
        """One more handler; without selectors it wants every event. Raises InvalidRequest for a wrong selector."""
        self._handlers.append(Handler(Selector(",".join(selectors) or "*"), call))
        # Somebody wants everything: then nothing can be told from the headers.
        self.selective = all(handler.selector.terms for handler in self._handlers)
        self._cache.clear()

    def of(self, entity_type: str, action: str) -> tuple[Call, ...]:
        """The handlers that want such an event."""
        key = (entity_type, action)
        found = self._cache.get(key)
        if found is None:
            found = tuple(handler.call for handler in self._handlers if handler.selector.matches(*key))
            if len(self._cache) >= MAX_CACHED:
                self._cache.clear()
            self._cache[key] = found
        return found
