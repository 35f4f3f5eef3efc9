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
def avro(name: str, keep_text: tuple[str, ...] = ()) -> Schema:
    """The parsed schema of `schemas/<name>.avsc`; texts with a logical type in `keep_text` are read as texts."""
    found = next(place for place in _PLACES if (place / f"{name}.avsc").is_file())
    schema = msgspec.json.decode((found / f"{name}.avsc").read_bytes())
    for field in schema["fields"]:
        if isinstance(field["type"], dict) and field["type"].get("logicalType") in keep_text:
            field["type"] = "string"
    return parse_schema(schema)
