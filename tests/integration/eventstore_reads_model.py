"""What the reads of docs/reference/eventstore.md answer about a model's log, and calls that follow their pages."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from tests.integration.eventstore_calls import Api
from tests.integration.eventstore_model import Model, Row, Stream, moment, stream_of

Event = dict[str, Any]


class Reference:
    """The model's log as events of the contract. When each was recorded only the service knows: it is learned."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._recorded: dict[int, str] = {}

    def events(self) -> list[Event]:
        """The log, as far as it was learned."""
        rows = sorted(self._model.rows.values(), key=lambda row: row.position)
        firsts: dict[int, str] = {}
        for row in rows:
            firsts.setdefault(row.append, row.event["event_id"])
        return [self._event(row, firsts[row.append]) for row in rows]

    def learn(self, found: list[Event]) -> None:
        """Take over the recorded times of a log that was read; they never go back."""
        times = [event["recorded_at"] for event in found]
        assert times == sorted(times)
        known = {event["position"]: event["recorded_at"] for event in found}
        assert self._recorded.items() <= known.items()
        self._recorded = known

    def _event(self, row: Row, first_id: str) -> Event:
        sent, recorded = row.event, self._recorded.get(row.position, "")
        occurred = moment(sent)
        return {
            "position": row.position,
            "event_id": sent["event_id"],
            "originator": {"id": sent["originator"]["id"], "version": row.version},
            "entity_type": stream_of(sent)[0],
            "event_type": sent["event_type"],
            "payload": sent["payload"],
            "metadata": {"correlation_id": first_id} | sent.get("metadata", {}),
            "occurred_on": f"{occurred:%Y-%m-%dT%H:%M:%S.%fZ}" if occurred else recorded,
            "recorded_at": recorded,
        }

    def stream(self, stream: Stream) -> list[Event]:
        """One stream."""
        return [e for e in self.events() if (e["entity_type"], e["originator"]["id"]) == stream]

    def streams(self, entity_type: str | None = None) -> list[Event]:
        """The list of streams."""
        keys = sorted({(e["entity_type"], e["originator"]["id"]) for e in self.events()})
        return [info(self.stream(key)) for key in keys if entity_type in {None, key[0]}]


def info(stream: list[Event]) -> Event:
    """What is said about a stream that has these events."""
    first, last = stream[0], stream[-1]
    return {
        "entity_type": first["entity_type"],
        "id": first["originator"]["id"],
        "version": len(stream),
        "count": len(stream),
        "first_position": first["position"],
        "last_position": last["position"],
        "first_recorded_at": first["recorded_at"],
        "last_recorded_at": last["recorded_at"],
    }


def selected(event: Event, selector: str) -> bool:
    """Whether any term wants it."""
    kind, action = event["entity_type"], event["event_type"].rpartition(".")[2]
    return any(term in {"*", f"{kind}.*", f"*.{action}", event["event_type"]} for term in selector.split(","))


def existing(events: list[Event], query: dict[str, Any]) -> list[Event]:
    """What of a stream was there at a position, or at a recorded time."""
    position, at = query.get("position", 2**62), query.get("at", "9999")
    return [e for e in events if e["position"] <= position and e["recorded_at"] <= at]


def versions(events: list[Event], query: dict[str, Any]) -> list[Event]:
    """Those that a read of a stream wants, in its direction."""
    low, high = query.get("from_version", 1), query.get("to_version", 2**31)
    found = [e for e in events if low <= e["originator"]["version"] <= high]
    return found[::-1] if query.get("direction") == "backward" else found


async def lines(api: Api, query: dict[str, Any]) -> list[Event]:
    """The log as NDJSON."""
    headers = {"Accept": "application/x-ndjson"}
    async with api.session.get(f"{api.url}/v1/log?{urlencode(query)}", headers=headers) as response:
        assert response.status == 200
        body = (await response.read()).decode()
    assert not body or body.endswith("\n")
    return [json.loads(line) for line in body.split("\n")[:-1]]


async def paged(api: Api, path: str, query: dict[str, Any], goes_on: str, key: str = "events") -> list[Event]:
    """What is on all pages, following `next`."""
    found, query = list[Event](), dict(query)
    while True:
        status, page, headers = await api.call("GET", f"{path}?{urlencode(query)}")
        assert status == 200, page
        assert len(page[key]) == query["limit"] or page["next"] is None
        assert ("Link" in headers) is (page["next"] is not None)
        found += page[key]
        if page["next"] is None:
            return found
        assert page["next"] != query.get(goes_on), "a page that leads to itself"
        query[goes_on] = page["next"]


async def log(api: Api, query: dict[str, Any], ends: range) -> list[Event]:
    """What is on the pages of the log, following `next` until it leaves a range of positions."""
    found, query = list[Event](), dict(query)
    while query["from"] in ends:
        status, page, headers = await api.call("GET", f"/v1/log?{urlencode(query)}")
        assert status == 200, page
        assert len(page["events"]) <= query["limit"]
        # Forward there is always something to ask for, but a link only to what is there.
        assert ("Link" not in headers) or page["next"] is not None
        assert len(page["events"]) < query["limit"] or "Link" in headers or page["next"] is None
        found += page["events"]
        ahead = (page["next"] or 0) > query["from"]
        assert ahead is (query["direction"] == "forward"), "a page that does not get on"
        query["from"] = page["next"]
    return [event for event in found if event["position"] in ends]
