"""Traces go on from the event's `traceparent`, where OpenTelemetry is installed (`pip install eskit[otel]`)."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from eskit.consumer.delivery.routes import Call, Record

HAS_TRACES = find_spec("opentelemetry") is not None


def traced(call: Call, name: str, *, batches: bool) -> Call:
    """The same handler, each call in a span of kind CONSUMER; itself, where there is no OpenTelemetry.

    The span of one event goes on in the trace in which the event was appended; that of a batch is linked to those of
    its events. `name`: of the consumer.
    """
    if not HAS_TRACES:
        return call
    return _batches(call, name) if batches else _events(call, name)


def _events(call: Call, name: str) -> Call:
    from opentelemetry import trace  # noqa: PLC0415 - optional
    from opentelemetry.propagate import extract  # noqa: PLC0415 - optional

    tracer = trace.get_tracer("eskit.consumer")

    async def one(record: Record, *more: Any) -> None:
        if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
            await call(record, *more)  # nobody has set up where spans go; they would cost as much as a small handler
            return
        event = record.event
        attributes = {
            **_common(name),
            "messaging.destination.partition.id": str(record.partition),
            "messaging.kafka.offset": record.offset,
            "eskit.position": event.position,
            "eskit.originator": event.originator.id,
        }
        context, kind = extract(event.metadata), trace.SpanKind.CONSUMER
        text = f"process {event.event_type}"
        with tracer.start_as_current_span(text, context=context, kind=kind, attributes=attributes):
            await call(record, *more)

    return one


def _batches(call: Call, name: str) -> Call:
    from opentelemetry import trace  # noqa: PLC0415 - optional
    from opentelemetry.propagate import extract  # noqa: PLC0415 - optional

    tracer = trace.get_tracer("eskit.consumer")

    async def several(records: list[Record], *more: Any) -> None:
        contexts = [trace.get_current_span(extract(r.event.metadata)).get_span_context() for r in records]
        links = [trace.Link(context) for context in contexts if context.is_valid]
        attributes = {**_common(name), "messaging.batch.message_count": len(records)}
        text, kind = f"process batch of {name}", trace.SpanKind.CONSUMER
        with tracer.start_as_current_span(text, kind=kind, attributes=attributes, links=links):
            await call(records, *more)

    return several


def _common(name: str) -> dict[str, str | int]:
    return {"messaging.system": "kafka", "messaging.operation.type": "process", "messaging.consumer.group.name": name}
