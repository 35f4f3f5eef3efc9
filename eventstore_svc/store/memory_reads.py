"""The statements that read the log, answered from a log in memory: each does what the file of its name says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from eskit import times
from eskit.events import Stored
from eskit.testing.log import Log
from eventstore_svc.store.fetching import Fetcher, Rows, Value
from eventstore_svc.store.streams import StreamInfo

_encode = msgspec.json.Encoder().encode
_metadata = msgspec.json.Decoder(dict[str, str])

Answered = Iterable[Sequence[Any]]
Statement = Callable[[Log, Mapping[str, Any]], Answered]


class MemoryRows(Rows):
    """What a statement answered: texts, numbers, None."""

    def __init__(self, rows: Answered) -> None:
        self._rows = list(rows)

    def __len__(self) -> int:
        return len(self._rows)

    def column(self, column: int) -> list[bytes]:
        """As Rows says."""
        return [self.bytes(row, column) for row in range(len(self))]

    def text(self, row: int, column: int) -> str | None:
        """As Rows says."""
        value: str | None = self._rows[row][column]
        return value

    def bytes(self, row: int, column: int) -> bytes:
        """As Rows says."""
        return (self.text(row, column) or "").encode()

    def number(self, row: int, column: int) -> int:
        """As Rows says."""
        return int(self._rows[row][column] or 0)


class MemoryFetcher(Fetcher):
    """Answers statements by their names."""

    def __init__(self, log: Log, statements: Mapping[str, Statement] | None = None) -> None:
        """`statements`: those of this package by default."""
        self._log = log
        self._statements = STATEMENTS if statements is None else statements

    async def fetch(self, name: str, values: Mapping[str, Value]) -> Rows:
        """The answer of a statement."""
        return MemoryRows(self._statements[name](self._log, values))


def stream(log: Log, entity_type: str, originator_id: str) -> list[Stored]:
    """The events of one stream."""
    return log.streams.get((entity_type, originator_id), [])


def streams(log: Log) -> list[StreamInfo]:
    """All streams, in the order of type and id."""
    return [
        StreamInfo(
            *key,
            len(events),
            events[0].position,
            events[-1].position,
            events[0].recorded_at_us,
            events[-1].recorded_at_us,
        )
        for key, events in sorted(log.streams.items())
    ]


def cut(events: Iterable[Stored], limit: int, most_bytes: int) -> list[Stored]:
    """The first events, as many as the limits allow; one at least, however large it is."""
    found: list[Stored] = []
    size = 0
    for event in events:
        if len(found) == limit or size >= most_bytes:
            break
        found.append(event)
        size += _bytes(event)
    return found


def _bytes(event: Stored) -> int:
    return len(event.payload.encode()) + len(event.metadata.encode())


def _json(event: Stored) -> str:
    return _encode(event.wire()).decode()


def _stream(log: Log, values: Mapping[str, Any]) -> list[Stored]:
    return stream(log, values["entity_type"], values["originator_id"])


def _stream_page(log: Log, values: Mapping[str, Any], step: int) -> Answered:
    events = _stream(log, values)
    part = events[values["from_version"] - 1 : values["to_version"]][::step]
    return [(_json(e), e.version, len(events)) for e in cut(part, values["limit"], values["most_bytes"])]


def _log_page(log: Log, values: Mapping[str, Any], step: int) -> Answered:
    part = [e for e in log.stored[values["first"] - 1 : values["last"]] if _wanted(e, values)][::step][
        : values["limit"]
    ]
    found = cut(part, values["limit"], values["most_bytes"])
    return [(_json(e), e.position, len(found) < len(part)) for e in found]


def _wanted(event: Stored, values: Mapping[str, Any]) -> bool:
    selected = (
        values["everything"]
        or event.entity_type in values["whole_types"]
        or event.action in values["actions"]
        or event.event_type in values["event_types"]
    )
    return (
        selected
        and values["entity_type"] in {None, event.entity_type}
        and (values["event_id"] is None or str(values["event_id"]) == event.event_id)
        and values["correlation_id"] in {None, _correlation(event)}
    )


def _correlation(event: Stored) -> str | None:
    return _metadata.decode(event.metadata).get("correlation_id")


def _version(log: Log, values: Mapping[str, Any]) -> Answered:
    events = _stream(log, values)
    return [(events[-1].version,)] if events else []


def _version_at(log: Log, values: Mapping[str, Any]) -> Answered:
    position, at = values["position"], values["at"]
    seen = [
        event.version
        for event in _stream(log, values)
        if (position is None or event.position <= position) and (at is None or event.recorded_at_us <= times.micros(at))
    ]
    return [(max(seen, default=0),)]


def _fresh(log: Log, values: Mapping[str, Any]) -> Answered:
    return [
        (e.position, e.event_id, e.entity_type, e.action, _correlation(e), _json(e))
        for e in cut(log.stored[values["after"] :], values["limit"], values["most_bytes"])
    ]


STATEMENTS: dict[str, Statement] = {
    "stream_page_forward": lambda log, values: _stream_page(log, values, 1),
    "stream_page_backward": lambda log, values: _stream_page(log, values, -1),
    "log_page_forward": lambda log, values: _log_page(log, values, 1),
    "log_page_backward": lambda log, values: _log_page(log, values, -1),
    # An index finds these in the database; here all events are looked at anyway.
    "linked_page_forward": lambda log, values: _log_page(log, values, 1),
    "linked_page_backward": lambda log, values: _log_page(log, values, -1),
    "stream_version": _version,
    "version_at": _version_at,
    "log_end": lambda log, _: [(len(log.stored),)],
    "fresh_events": _fresh,
    "event_by_id": lambda log, values: [(_json(e),) for e in [log.by_id.get(str(values["event_id"]))] if e],
}
