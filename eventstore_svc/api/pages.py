"""Pages of events as they are answered."""

from __future__ import annotations

import msgspec

from eskit.events import WireEvent

MAX_PAGE = 1000


class EventsPage(msgspec.Struct):
    """A page of events; `next` is the `from` (of the log) or `from_version` (of a stream) to go on with."""

    events: list[WireEvent]
    next: int | None
