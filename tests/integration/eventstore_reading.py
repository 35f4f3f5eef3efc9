"""The reads of a comparison with the model: log, streams, list of streams, in any part, direction and page size."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, ClassVar
from urllib.parse import urlencode

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tests.integration.eventstore_calls import Api
from tests.integration.eventstore_model import Model, Request, Stream
from tests.integration.eventstore_reads_model import (
    Event,
    Reference,
    existing,
    lines,
    log,
    paged,
    selected,
    versions,
)

LIMITS = st.integers(1, 4)
PLACES = st.integers(0, 40)  # of positions and moments; drawn alike, whatever was stored
DIRECTIONS = st.sampled_from(["forward", "backward"])


class Reading(RuleBasedStateMachine):
    """What the machine has stored, read by every call. What else the log has, before `first`, is of other machines."""

    runner: asyncio.Runner
    seen: ClassVar[Counter[Any]] = Counter()  # of all machines: answers by status and code, and what was done
    api: Api
    model: Model
    reference: Reference
    first: int
    types: list[str]
    stored: list[Request]

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    def read_all(self) -> list[Event]:
        """The machine's part of the log, compared to the model's."""
        found = self.run(lines(self.api, {"from": self.first}))
        self.reference.learn(found)
        assert found == self.reference.events()
        return list(found)

    @rule(data=st.data(), direction=DIRECTIONS, limit=LIMITS)
    def read_log(self, data: Any, direction: str, limit: int) -> None:
        events = self.read_all()
        one, two = self.types
        terms = ["*", f"{one}.*", "*.Paid", f"{two}.Paid", f"{one}.Created,*.Paid", f"{one}.Gone"]
        options = {"selector": st.sampled_from(terms), "entity_type": st.sampled_from(self.types),
                   "correlation_id": PLACES.map(lambda n: self.chain(events, n))}  # fmt: skip
        query = data.draw(st.fixed_dictionaries({}, optional=options))
        start = self.first + data.draw(PLACES) % (len(events) + 1)
        ends = range(self.first, start + 1) if direction == "backward" else range(start, self.model.head + 1)
        wanted = [e for e in events if e["position"] in ends and wants(query, e)]
        asked = query | {"from": start, "limit": limit, "direction": direction}
        asked |= {"wait": 0.001} if direction == "forward" else {}
        found = self.run(log(self.api, asked, ends))
        assert found == (wanted[::-1] if direction == "backward" else wanted)
        if direction == "forward":
            assert self.run(lines(self.api, query | {"from": start})) == wanted
        self.seen["log"] += bool(found)

    def chain(self, events: list[Event], n: int) -> str:
        """A correlation id: one that was given, or an event's own."""
        return ["c", "d", "none"][n % 3] if n < 9 or not events else str(events[n % len(events)]["event_id"])

    @rule(data=st.data(), limit=LIMITS)
    def read_streams(self, data: Any, limit: int) -> None:
        """As they are now, or as they were; also those that are not there."""
        events = self.read_all()
        times = [e["recorded_at"] for e in events] or ["2020-01-01T00:00:00.000000Z"]
        options = {"direction": DIRECTIONS, "from_version": st.integers(1, 6), "to_version": st.integers(1, 6),
                   "position": PLACES.map(lambda n: self.first + n % (len(events) + 2)),
                   "at": PLACES.map(lambda n: times[n % len(times)])}  # fmt: skip
        query = data.draw(st.fixed_dictionaries({}, optional=options))
        for kind in self.types:
            for number in range(4):
                self.read_stream((kind, f"s{number}"), query | {"limit": limit})

    def read_stream(self, stream: Stream, query: dict[str, Any]) -> None:
        """Page by page; and not again what the client has."""
        found = existing(self.reference.stream(stream), query)
        path = f"/v1/streams/{stream[0]}/{stream[1]}/events"
        status, _, headers = self.run(self.api.call("GET", f"{path}?{urlencode(query)}"))
        assert status == (200 if found else 404)
        self.seen["stream", status] += 1
        if not found:
            return
        goes_on = "to_version" if query.get("direction") == "backward" else "from_version"
        assert self.run(paged(self.api, path, query, goes_on)) == versions(found, query)
        again = self.api.call("GET", f"{path}?{urlencode(query)}", headers={"If-None-Match": headers["ETag"]})
        assert self.run(again)[0] == 304

    @rule(limit=LIMITS, one=st.sampled_from([None, 0, 1]))
    def list_streams(self, limit: int, one: int | None) -> None:
        """Of one type, or all that there are; and each by itself, with its events."""
        events = self.read_all()
        kind = None if one is None else self.types[one]
        asked = {"limit": 100} if kind is None else {"limit": limit, "entity_type": kind}
        found = self.run(paged(self.api, "/v1/streams", asked, "cursor", "streams"))
        assert [(s["entity_type"], s["id"]) for s in found] == sorted((s["entity_type"], s["id"]) for s in found)
        assert [s for s in found if s["entity_type"] in self.types] == self.reference.streams(kind)
        for stream in self.reference.streams(kind):
            path = f"/v1/streams/{stream['entity_type']}/{stream['id']}"
            assert self.run(self.api.get(path)) == (200, stream)
        for event in events[:3]:
            assert self.run(self.api.get(f"/v1/events/{event['event_id']}")) == (200, event)
        self.seen["streams"] += bool(found)


def wants(query: dict[str, Any], event: Event) -> bool:
    """Whether the log's filter does."""
    return (
        selected(event, query.get("selector", "*"))
        and query.get("entity_type") in {None, event["entity_type"]}
        and query.get("correlation_id") in {None, event["metadata"]["correlation_id"]}
    )
