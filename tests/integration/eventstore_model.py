"""The rules of docs/reference/eventstore.md about appends, in memory, one request after the other."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

Request = list[dict[str, Any]]
Place = tuple[UUID, int, int]  # id, version, position
Stream = tuple[str, str]  # entity type, id

# These tell how a request came, not what it says.
TRANSPORT = {"correlation_id", "causation_id", "traceparent", "tracestate"}


class Row(NamedTuple):
    """An event of the model's log."""

    event: dict[str, Any]
    version: int
    append: int  # which append it came with
    position: int


class Answer(NamedTuple):
    """Status, code of the problem or none, what it is about."""

    status: int
    code: str = ""
    about: Any = None


class Model:
    """A log and what it answers."""

    def __init__(self, head: int) -> None:
        self.head = head
        self.rows: dict[str, Row] = {}
        self.versions: dict[Stream, int] = {}
        self.appends = 0

    def append(self, request: Request) -> Answer:
        ids = [event["event_id"] for event in request]
        if len(set(ids)) < len(ids) or not all(agree(event) for event in request):
            return Answer(422, "invalid-request")
        taken: dict[Stream, int] = {}
        for event in request:
            stream = stream_of(event)
            current = self.versions.get(stream, 0) + taken.get(stream, 0)
            if event["event_id"] in self.rows:
                return self._again(request)
            if not fits(event, current):
                return Answer(409, "version-conflict", self.versions.get(stream, 0))
            taken[stream] = taken.get(stream, 0) + 1
        self.appends += 1
        for event in request:
            stream = stream_of(event)
            self.head += 1
            self.versions[stream] = self.versions.get(stream, 0) + 1
            self.rows[event["event_id"]] = Row(event, self.versions[stream], self.appends, self.head)
        return Answer(201, "", self._places(request))

    def _again(self, request: Request) -> Answer:
        rows = [self.rows.get(event["event_id"]) for event in request]
        found = [row for row in rows if row is not None]
        whole = [row for row in self.rows.values() if row.append == found[0].append]
        if found != whole or not all(same(event, row) for event, row in zip(request, found, strict=False)):
            return Answer(409, "event-id-reused")
        if len(rows) != len(found):
            return Answer(409, "event-id-reused")
        return Answer(200, "", self._places(request))

    def _places(self, request: Request) -> list[Place]:
        rows = [self.rows[event["event_id"]] for event in request]
        return [(UUID(row.event["event_id"]), row.version, row.position) for row in rows]


def agree(event: dict[str, Any]) -> bool:
    """Whether `version` and `expected`, both given, can be true together."""
    version, expected = event["originator"].get("version"), event.get("expected")
    if version is None or expected in {None, "any"}:
        return True
    return bool(version > 1 if expected == "exists" else version == (0 if expected == "none" else expected) + 1)


def fits(event: dict[str, Any], current: int) -> bool:
    """Whether an event may be the next of a stream at this version."""
    version, expected = event["originator"].get("version"), event.get("expected")
    if version is not None and version != current + 1:
        return False
    wanted = {None: True, "any": True, "none": current == 0, "exists": current > 0}
    return wanted[expected] if expected in wanted else bool(expected == current)


def same(event: dict[str, Any], row: Row) -> bool:
    """Whether it says what the stored one says; version and time that it gives must be those that were taken."""
    alike = all(event[key] == row.event[key] for key in ("event_type", "payload", "event_id"))
    alike = alike and event["originator"]["id"] == row.event["originator"]["id"] and fits_again(event, row.version)
    time = "occurred_on" not in event or moment(event) == moment(row.event)
    return alike and time and content(event) == content(row.event)


def fits_again(event: dict[str, Any], version: int) -> bool:
    return fits(event, version - 1) or ("version" not in event["originator"] and event.get("expected") == "exists")


def stream_of(event: dict[str, Any]) -> Stream:
    """The stream that an event belongs to."""
    return event["event_type"].rpartition(".")[0], event["originator"]["id"]


def moment(event: dict[str, Any]) -> datetime | None:
    """When it occurred, if it says so."""
    return datetime.fromisoformat(event["occurred_on"]).astimezone(UTC) if "occurred_on" in event else None


def content(event: dict[str, Any]) -> dict[str, str]:
    """The metadata that a retry must repeat."""
    return {key: value for key, value in event.get("metadata", {}).items() if key not in TRANSPORT}
