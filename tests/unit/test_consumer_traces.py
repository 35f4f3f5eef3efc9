"""Handlers run in spans that go on from the event's trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry import trace

from eskit.consumer import Consumer, Event
from eskit.testing import Log, consume

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TRACE_ID = int("4bf92f3577b34da6a3ce929d0e0e4736", 16)


class Recording:
    """Notes what it is asked to begin."""

    def __init__(self) -> None:
        self.spans: list[dict[str, Any]] = []

    @contextmanager
    def start_as_current_span(self, name: str, **given: Any) -> Iterator[trace.Span]:
        context = trace.get_current_span(given.get("context")).get_span_context()
        links = [link.context.trace_id for link in given.get("links") or ()]
        self.spans.append({"name": name, "trace": context.trace_id, "links": links, **given["attributes"]})
        yield trace.INVALID_SPAN


@pytest.fixture
def tracer(monkeypatch: pytest.MonkeyPatch) -> Recording:
    recording = Recording()
    monkeypatch.setattr(trace, "get_tracer", lambda *_: recording)
    monkeypatch.setattr(trace, "get_tracer_provider", trace.NoOpTracerProvider)
    return recording


async def test_an_event_goes_on_in_its_trace(tracer: Recording) -> None:
    consumer = Consumer("billing")

    @consumer.on()
    async def handle(event: Event) -> None: ...

    log = Log()
    log.append("User.Created", "ada", metadata={"traceparent": PARENT})
    log.append("User.Updated", "ada")
    await consume(consumer, log)
    first, second = tracer.spans
    assert (first["name"], first["trace"], first["eskit.position"]) == ("process User.Created", TRACE_ID, 1)
    assert (second["name"], second["trace"]) == ("process User.Updated", 0)
    assert first["messaging.consumer.group.name"] == "billing"


async def test_a_batch_is_linked_to_its_events(tracer: Recording) -> None:
    consumer = Consumer("sink")

    @consumer.on_batch()
    async def handle(events: list[Event]) -> None: ...

    log = Log(1)
    log.append("User.Created", "ada", metadata={"traceparent": PARENT})
    log.append("User.Created", "grace")
    await consume(consumer, log)
    [span] = tracer.spans
    assert (span["links"], span["messaging.batch.message_count"]) == ([TRACE_ID], 2)
