"""The Kafka record of an event, a pure function of it: key, Avro single-object value, CloudEvents headers."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from fastavro import schemaless_reader, schemaless_writer
from fastavro.schema import fingerprint, to_parsing_canonical_form

from eskit import contracts, times
from eskit.errors import EskitError
from eskit.events import Event, Originator, Stored

SCHEMA = contracts.avro("application_log_entry")
# For reading: msgspec makes a UUID of a text in a third of the time that fastavro takes.
_READ = contracts.avro("application_log_entry", keep_text=("uuid",))
# Avro's single-object encoding: C3 01, then the schema's CRC-64-AVRO fingerprint, little endian.
_FINGERPRINT = bytes.fromhex(fingerprint(to_parsing_canonical_form(SCHEMA), "CRC-64-AVRO"))
PREFIX = b"\xc3\x01" + _FINGERPRINT

Headers = list[tuple[str, str | bytes | None]]
_metadata = msgspec.json.Decoder(dict[str, str])


class UndecodableRecord(EskitError):
    """A record of the topic that is not an event of ours."""

    code, title = "undecodable-record", "Undecodable record"


class Record(NamedTuple):
    """What goes to the topic."""

    key: bytes
    value: bytes
    headers: Headers


class Source:
    """Encodes the events of one log; `ce_source` names it."""

    def __init__(self, log: str) -> None:
        """`log` is the log's name, `main` by default."""
        self._fixed: Headers = [("ce_specversion", b"1.0"), ("ce_source", f"/eskit/{log}".encode())]
        self._content_type = ("content-type", b"application/avro")

    def record(self, event: Stored) -> Record:
        """The record of an event."""
        out = BytesIO()
        out.write(PREFIX)
        metadata = _metadata_of(event)
        event_type = event.event_type
        schemaless_writer(
            out,
            SCHEMA,
            {
                "position": event.position,
                "event_id": event.event_id,
                "originator": {"id": event.originator_id, "version": event.version},
                "entity_type": event.entity_type,
                "event_type": event_type,
                "payload": event.payload,
                "metadata": metadata,
                "occurred_on": event.occurred_on_us,
                "recorded_at": event.recorded_at_us,
            },
        )
        key = event.originator_id.encode()
        ident = event.event_id.encode()
        headers = [
            *self._fixed,
            ("ce_id", ident),
            ("ce_type", event_type.encode()),
            ("ce_subject", key),
            ("ce_time", times.rfc3339(event.occurred_on_us).encode()),
            ("ce_sequence", b"%020d" % event.version),
            ("id", ident),
            self._content_type,
        ]
        if trace := metadata.get("traceparent"):
            headers.append(("traceparent", trace.encode()))
        return Record(key, out.getvalue(), headers)


def _metadata_of(event: Stored) -> dict[str, str]:
    try:
        return _metadata.decode(event.metadata)
    except (msgspec.MsgspecError, RecursionError):
        # Nothing of ours stores other than strings; whoever did, must not keep everybody else's events from the topic.
        return _as_strings(event.metadata)


def _as_strings(metadata: str) -> dict[str, str]:
    """What Postgres takes for a JSON object as strings, whatever is in it."""
    try:
        found = json.loads(metadata, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return {}
    # Half of a surrogate pair is no text that Avro could carry.
    return {_text(key): _text(value if isinstance(value, str) else json.dumps(value)) for key, value in found.items()}


def _text(given: str) -> str:
    return given.encode("utf-8", "replace").decode()


def decode(value: bytes | None) -> Event:
    """The event of a record's value; raises UndecodableRecord."""
    if value is None or not value.startswith(PREFIX):
        start = "nothing" if value is None else value[:10].hex(" ")
        raise UndecodableRecord(f"The record starts with {start}, an event of ours with {PREFIX.hex(' ')}")
    try:
        entry: dict[str, Any] = schemaless_reader(BytesIO(value[len(PREFIX) :]), _READ, None)  # type: ignore[assignment]
        return Event(
            position=entry["position"],
            event_id=msgspec.convert(entry["event_id"], UUID),
            originator=Originator(**entry["originator"]),
            entity_type=entry["entity_type"],
            event_type=entry["event_type"],
            payload=msgspec.Raw(entry["payload"].encode()),
            metadata=entry["metadata"],
            occurred_on=entry["occurred_on"],
            recorded_at=entry["recorded_at"],
        )
    except (EOFError, ValueError, TypeError, IndexError, KeyError) as error:
        raise UndecodableRecord(f"The record cannot be read as an event: {type(error).__name__}") from error


def position(value: bytes) -> int:
    """The position alone, without decoding the rest: it is the first field. Raises UndecodableRecord."""
    if not value.startswith(PREFIX):
        raise UndecodableRecord("The record is not an event of ours")
    return zigzag_long(value, len(PREFIX))


def zigzag_long(data: bytes, at: int) -> int:
    """An Avro long that starts at `at`."""
    shift = result = 0
    for byte in data[at : at + 10]:
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (result >> 1) ^ -(result & 1)
        shift += 7
    raise UndecodableRecord("The record ends within its first field")


def event_type(headers: Headers | None) -> tuple[str, str] | None:
    """Entity type and action from the headers, for selecting without decoding; None where they do not say."""
    for name, value in headers or ():
        if name == "ce_type" and isinstance(value, bytes):
            kind, dot, action = value.decode("utf-8", "replace").rpartition(".")
            return (kind, action) if dot else None
    return None
