"""Fuzz an event store, then compare its log with what its answers have said."""

from __future__ import annotations

from tests.fuzz.client import Answer
from tests.fuzz.ledger import Ledger, look_at_log_read
from tests.fuzz.requests import Maker, Request
from tests.fuzz.sending import Service, send


def run(total: int, seed: int) -> str:
    """All of it, in a sentence; raises Fault."""
    ledger = Ledger()

    def look(request: Request, answer: Answer) -> None:
        look_at_log_read(request, answer)
        ledger.note(request, answer)

    with Service("eventstore_svc", "eventstore_port") as service:
        statuses = send(service, total, Maker(seed), look)
        service.end()
        events = ledger.compare(service.config.database_url)
    shown = ", ".join(f"{status or 'closed'}: {count}" for status, count in sorted(statuses.items()))
    told = f"{events} events in the log, {ledger.acknowledged} of them acknowledged, none of these missing or changed"
    return f"seed {seed}: {total} requests, {shown}; {told}, none there that was refused"
