"""The Kafka record: bytes that any language can read, and that depend on the event alone."""

from __future__ import annotations

from uuid import UUID

import pytest
from fastavro.schema import fingerprint
from hypothesis import given
from hypothesis import strategies as st

from eskit import times
from eskit.events import Stored
from eskit.kafka import record
from eskit.kafka.murmur2 import murmur2, partition

EVENT = Stored(
    position=7,
    event_id="01a20c55-a729-71d9-8257-f701f7de4353",
    entity_type="com.acme.User",
    originator_id="a/ü",
    version=3,
    action="Created",
    payload='{ "n" : 1.10 }',
    metadata='{"correlation_id":"c","traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}',
    occurred_on_us=-1,
    recorded_at_us=1_795_503_269_688_836,
)


@pytest.mark.parametrize(
    ("key", "hash_of_java"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_is_that_of_the_java_client(key: bytes, hash_of_java: int) -> None:
    """The values are those of Kafka's own tests of its hash."""
    assert murmur2(key) == hash_of_java % 2**32
    assert partition(key.decode(), 6) == (hash_of_java & 0x7FFFFFFF) % 6


def test_fingerprint_is_little_endian_as_single_object_encoding_wants() -> None:
    """The CRC-64-AVRO of "int" is 7275d51a3f395c8f; on the wire its bytes stand the other way round."""
    assert fingerprint('"int"', "CRC-64-AVRO") == "8f5c393f1ad57572"
    assert record.PREFIX[:2] == b"\xc3\x01"
    assert len(record.PREFIX) == 10


def test_record_of_an_event() -> None:
    key, value, headers = record.Source("main").record(EVENT)
    assert key == "a/ü".encode()
    assert dict(headers) == {
        "ce_specversion": b"1.0",
        "ce_source": b"/eskit/main",
        "ce_id": EVENT.event_id.encode(),
        "ce_type": b"com.acme.User.Created",
        "ce_subject": "a/ü".encode(),
        "ce_time": b"1969-12-31T23:59:59.999999Z",
        "ce_sequence": b"00000000000000000003",
        "id": EVENT.event_id.encode(),
        "content-type": b"application/avro",
        "traceparent": b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }
    event = record.decode(value)
    assert event.position == record.position(value) == 7
    assert event.event_id == UUID(EVENT.event_id)
    assert (event.originator.id, event.originator.version) == ("a/ü", 3)
    assert (event.entity_type, event.event_type, event.action) == ("com.acme.User", "com.acme.User.Created", "Created")
    assert bytes(event.payload) == b'{ "n" : 1.10 }'
    assert event.data() == {"n": 1.1}
    assert event.metadata["correlation_id"] == "c"
    assert (times.micros(event.occurred_on), times.micros(event.recorded_at)) == (-1, EVENT.recorded_at_us)
    assert record.event_type(headers) == ("com.acme.User", "Created")
    assert record.Source("main").record(EVENT) == (key, value, headers)


@pytest.mark.parametrize(
    "value", [None, b"", b"\xc3\x01", b"\x00\x00\x00\x00\x01abc", record.PREFIX, record.PREFIX + b"\x0e"]
)
def test_what_is_no_event_is_said_to_be_none(value: bytes | None) -> None:
    with pytest.raises(record.UndecodableRecord):
        record.decode(value)


@given(st.binary(max_size=200))
def test_rubbish_raises_one_error_only(rubbish: bytes) -> None:
    with pytest.raises(record.UndecodableRecord):
        record.decode(record.PREFIX + b"\x0e" + rubbish[:0])
    try:
        record.decode(record.PREFIX + rubbish)
    except record.UndecodableRecord as error:
        assert error.detail  # noqa: PT017 - rubbish may also, rarely, be an event


@given(st.integers(min_value=1, max_value=2**63 - 1))
def test_position_is_read_without_decoding_the_rest(position: int) -> None:
    event = Stored(position, EVENT.event_id, "T", "x", 1, "A", "{}", "{}", 0, 0)
    assert record.position(record.Source("main").record(event).value) == position
