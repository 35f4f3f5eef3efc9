"""The samples that the Go consumer's tests read are what the relay writes, and they lie where the relay puts them."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from eskit.events import Stored
from eskit.kafka.murmur2 import partition
from eskit.kafka.record import Source, decode

SAMPLES = Path(__file__).parents[2] / "examples" / "go_consumer" / "testdata"
RECORDS = json.loads((SAMPLES / "records.json").read_text())
PARTITIONS = json.loads((SAMPLES / "partitions.json").read_text())


@pytest.mark.parametrize("sample", RECORDS, ids=lambda sample: str(sample["event"]["position"]))
def test_records(sample: dict[str, object]) -> None:
    event = msgspec.convert(sample["event"], Stored)
    value = Source("main").record(event).value
    assert value.hex() == sample["value"]
    assert decode(value).position == event.position


@pytest.mark.parametrize("row", PARTITIONS, ids=lambda row: ascii(row["key"])[:20])
def test_partitions(row: dict[str, int | str]) -> None:
    counts = {name: int(name.removeprefix("of_")) for name in row if name != "key"}
    assert len(counts) == 4
    assert {name: partition(str(row["key"]), count) for name, count in counts.items()} == {n: row[n] for n in counts}


def test_some_keys_are_not_ascii() -> None:
    assert sum(not row["key"].isascii() for row in PARTITIONS) >= 5
