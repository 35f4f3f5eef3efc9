"""The rules of docs/reference/eventstore.md about appends, in memory, one request after the other."""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

Request = list[dict[str, Any]]
Place = tuple[UUID, int, int]  # id, version, position


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
        self.versions: dict[str, int] = {}
        self.appends = 0

    def append(self, request: Request) -> Answer:
        ids = [event["event_id"] for event in request]
        if len(set(ids)) < len(ids) or not all(agree(event) for event in request):
            return Answer(422, "invalid-request")
        taken: dict[str, int] = {}
        for event in request:
            stream = event["originator"]["id"]
            current = self.versions.get(stream, 0) + taken.get(stream, 0)
            if event["event_id"] in self.rows:
                return self._again(request)
            if not fits(event, current):
                return Answer(409, "version-conflict", self.versions.get(stream, 0))
            taken[stream] = taken.get(stream, 0) + 1
        self.appends += 1
        for event in request:
            stream = event["originator"]["id"]
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
    """Whether it says what the stored one says; a version that it gives must be the one that was taken."""
    alike = all(event[key] == row.event[key] for key in ("event_type", "payload", "event_id"))
    return alike and event["originator"]["id"] == row.event["originator"]["id"] and fits_again(event, row.version)


def fits_again(event: dict[str, Any], version: int) -> bool:
    return fits(event, version - 1) or ("version" not in event["originator"] and event.get("expected") == "exists")
