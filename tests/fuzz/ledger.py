"""What the answers of a run have said about appends, and whether the log agrees with all of it."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any, NamedTuple

import psycopg

from tests.fuzz.client import Answer
from tests.fuzz.requests import Request

UUIDS = re.compile(rb"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
NDJSON = "application/x-ndjson"
WHOLE = """
SELECT (SELECT count(*) = coalesce(max(position), 0) FROM events),
       (SELECT coalesce(bool_and(n = last), true) FROM (
            SELECT count(*) AS n, max(version) AS last FROM events GROUP BY entity_type, originator_id) AS streams),
       (SELECT count(*) FROM outbox) = (SELECT count(*) FROM events)"""
ROWS = """
SELECT event_id::text, originator_id, version, position, entity_type || '.' || action, payload, metadata, occurred_on
  FROM events"""


class Fault(Exception):
    """What must not be."""


class Place(NamedTuple):
    """Where an event stands."""

    originator_id: str
    version: int
    position: int


class Ledger:
    """Kept while requests are sent, compared with the log afterwards."""

    def __init__(self) -> None:
        """Nothing was sent yet."""
        self._places: dict[str, Place] = {}
        self._stored: dict[str, bytes] = {}  # by whose request: the one that was answered 201
        self._content: list[dict[str, Any]] = []  # of good events that were acknowledged, by 201 or 200
        self._refused: set[str] = set()
        self._lost: list[bytes] = []  # without an answer: stored or not

    @property
    def acknowledged(self) -> int:
        """How many events."""
        return len(self._places)

    def note(self, request: Request, answer: Answer) -> None:
        """What this answer promises."""
        if not request.data.startswith(b"POST ") and request.whole:
            return
        named = ids_in(request.data)
        if answer.status == 0:
            self._lost.append(request.data)
            return
        for status, events in appended(answer):
            for event in events:
                named.discard(event["event_id"])
                self._accept(status, event, request)
        self._refused |= named

    def _accept(self, status: int, event: dict[str, Any], request: Request) -> None:
        ident, originator = event["event_id"], event["originator"]
        place = Place(originator["id"], originator["version"], event["position"])
        if self._places.setdefault(ident, place) != place:
            raise Fault(f"{ident} is at {place} and at {self._places[ident]}")
        if status == 201:
            if ident in self._stored:
                raise Fault(f"{ident} was stored twice")
            self._stored[ident] = request.data
        self._content += [sent for sent in request.events if sent["event_id"] == ident]

    def compare(self, url: str) -> int:
        """How many events the log has; raises Fault where it is not what was said."""
        with psycopg.connect(url, options="-c search_path=eventstore -c timezone=UTC") as connection:
            if connection.execute(WHOLE).fetchone() != (True, True, True):
                raise Fault("positions, versions or outbox have holes")
            log = {row[0]: row[1:] for row in connection.execute(ROWS)}
        for ident, place in self._places.items():
            if ident not in log or log[ident][:3] != place:
                raise Fault(f"{ident} was acknowledged at {place}, and the log has {log.get(ident)}")
        for ident, data in self._stored.items():
            if log[ident][4].encode() not in data:
                raise Fault(f"the payload of {ident} was changed: {log[ident][4]!r}")
        for sent in self._content:
            self._same(sent, log[sent["event_id"]])
        self._nothing_else(set(log))
        return len(log)

    def _same(self, sent: dict[str, Any], row: tuple[Any, ...]) -> None:
        metadata = {key: value for key, value in json.loads(row[5]).items() if key != "correlation_id"}
        kept = {"event_type": row[3], "payload": json.loads(row[4]), "metadata": metadata, "occurred_on": row[6]}
        occurred = datetime.fromisoformat(sent["occurred_on"]) if "occurred_on" in sent else row[6]
        wanted = {name: sent.get(name, {}) for name in kept} | {"occurred_on": occurred}
        if kept != wanted:
            raise Fault(f"acknowledged was {wanted}, the log has {kept}")

    def _nothing_else(self, log: set[str]) -> None:
        unknown = log - self._places.keys()
        perhaps = set[str]().union(*(ids_in(data) for data in self._lost))
        if refused := (unknown & self._refused) - perhaps:
            raise Fault(f"{len(refused)} events that were refused are in the log, {min(refused)} for one")
        if len(unknown - perhaps) > len(self._lost):
            raise Fault(f"the log has {len(unknown - perhaps)} events that nobody was told of")


def ids_in(data: bytes) -> set[str]:
    """Every event id that a request names."""
    return {found.decode().lower() for found in UUIDS.findall(data)}


def appended(answer: Answer) -> list[tuple[int, list[dict[str, Any]]]]:
    """Status and events of each append that an answer says is in the log."""
    if answer.status not in {200, 201}:
        return []
    if answer.media_type == NDJSON:
        results = [json.loads(line) for line in answer.body.splitlines()]
    else:
        body = json.loads(answer.body)
        results = body.get("results") or [{"status": answer.status} | body]
    return [(result["status"], result["events"]) for result in results if "events" in result]


def look_at_log_read(request: Request, answer: Answer) -> None:
    """Lines and messages of the log are in order, without a gap where nothing is filtered; raises Fault."""
    if request.lines_from and answer.status == 200:
        whole = answer.body[: answer.body.rfind(b"\n") + 1]
        found = [json.loads(line)["position"] for line in whole.split(b"\n")[:-1]]
        if found != list(range(request.lines_from, request.lines_from + len(found))):
            raise Fault(f"lines from {request.lines_from}: {found[:20]}")
    if answer.media_type == "text/event-stream":
        told = [int(ident) for ident in re.findall(rb"^id: (\d+)$", answer.body, re.MULTILINE)]
        data = [json.loads(text)["position"] for text in re.findall(rb"^data: (.*)$", answer.body, re.MULTILINE)]
        if told != sorted(set(told)) or not set(data) <= set(told):
            raise Fault(f"a tail told of {told}, and sent {data}")
        filtered = any(word in request.data for word in (b"selector", b"entity_type", b"correlation_id"))
        if told and not filtered and told != list(range(told[0], told[0] + len(told))):
            raise Fault(f"a tail left something out: {told}")
