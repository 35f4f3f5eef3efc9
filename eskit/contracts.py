"""The contracts as files: the Avro schemas of `schemas/`, in a checkout or in an installed wheel."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec
from fastavro.schema import parse_schema
from fastavro.types import Schema

# In the wheel they lie inside the package; in a checkout beside it.
_PLACES = (Path(__file__).parent / "schemas", Path(__file__).parent.parent / "schemas")


@cache
def avro(name: str) -> Schema:
    """The parsed schema of `schemas/<name>.avsc`."""
    found = next(place for place in _PLACES if (place / f"{name}.avsc").is_file())
    return parse_schema(msgspec.json.decode((found / f"{name}.avsc").read_bytes()))
