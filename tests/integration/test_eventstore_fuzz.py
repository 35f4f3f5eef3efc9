"""Some thousand of the fuzzer's requests (`make fuzz` sends more), and that its ledger notices what is wrong."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from tests.fuzz.client import Answer
from tests.fuzz.eventstore import run
from tests.fuzz.ledger import Fault, Ledger
from tests.fuzz.requests import Request

ID = "01a20c57-9331-7971-8669-ffaba7c628bf"
EVENT = {"event_id": ID, "originator": {"id": "a"}, "event_type": "T.X", "payload": {"n": 1}}
SENT = Request(f"POST /v1/events {json.dumps(EVENT)}".encode(), (EVENT,))
INSERT = """
INSERT INTO events (position, recorded_at, occurred_on, event_id, version, entity_type, action, originator_id, metadata,
                    payload) VALUES (%s, now(), now(), %s, 1, 'T', 'X', 'a', '{}', %s)"""


def test_no_request_breaks_the_service_or_the_log() -> None:
    assert run(6000, seed=7).startswith("seed 7: 6000 requests")


def said(status: int, **changed: Any) -> Answer:
    event = {"event_id": ID, "originator": {"id": "a", "version": 1}, "position": 1} | changed
    body = {"events": [event]} if status < 300 else {"code": "version-conflict"}
    return Answer(status, "application/json", json.dumps(body).encode())


def stored(url: str, position: int = 1, payload: str = '{"n": 1}') -> None:
    with psycopg.connect(url, options="-c search_path=eventstore") as owner:
        owner.execute(INSERT, (position, ID, payload))
        owner.execute("INSERT INTO outbox VALUES (%s)", (position,))


@pytest.mark.parametrize(
    ("answers", "row", "fault"),
    [
        ([said(201)], {}, None),
        ([said(409), said(201), said(200)], {}, None),
        ([said(201)], None, "acknowledged at"),
        ([said(201, position=2)], {}, "acknowledged at"),
        ([said(201)], {"payload": '{"n": 2}'}, "was changed"),
        ([said(200)], {"payload": '{"n": 2}'}, "acknowledged was"),
        ([said(409)], {}, "refused"),
        ([said(201)], {"position": 2}, "holes"),
        ([], {}, "nobody was told"),
    ],
)
def test_the_ledger_notices(
    database_url: str, answers: list[Answer], row: dict[str, Any] | None, fault: str | None
) -> None:
    ledger = Ledger()
    for answer in answers:
        ledger.note(SENT, answer)
    if row is not None:
        stored(database_url, **row)
    if fault is None:
        assert ledger.compare(database_url) == 1
        return
    with pytest.raises(Fault, match=fault):
        ledger.compare(database_url)


def test_an_event_stored_twice_is_noticed_at_once() -> None:
    ledger = Ledger()
    ledger.note(SENT, said(201))
    with pytest.raises(Fault, match="twice"):
        ledger.note(SENT, said(201))
