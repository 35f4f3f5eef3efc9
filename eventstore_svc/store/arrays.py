"""Columns of a batch as PostgreSQL binary arrays, made in one go.

psycopg turns a Python list into an array element by element in Python; for group commits that costs more than the
insert.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import ClassVar
from uuid import UUID

import psycopg
from psycopg.adapt import AdaptersMap, Dumper
from psycopg.pq import Format
from psycopg.types.numeric import Int8BinaryLoader

_LENGTH = struct.Struct(">i").pack
_HEADER = struct.Struct(">iiIii").pack
_NULL = _LENGTH(-1)

MICROS_2000 = 946_684_800_000_000
"""PostgreSQL counts microseconds from 2000; we count from 1970."""


class _Array(bytes):
    """A ready array value."""

    element_oid: ClassVar[int]

    @classmethod
    def joined(cls, count: int, elements: Iterable[bytes], *, nulls: bool = False) -> _Array:
        """An array of `count` elements; the pieces are lengths and values in turn."""
        # An empty array has no dimension.
        header = (
            _HEADER(1, int(nulls), cls.element_oid, count, 1) if count else struct.pack(">iiI", 0, 0, cls.element_oid)
        )
        return cls(header + b"".join(elements))


class Int4Array(_Array):
    """integer[]"""

    element_oid = 23

    @classmethod
    def of(cls, values: Sequence[int]) -> _Array:
        """From 32-bit numbers."""
        pairs = [item for value in values for item in (4, value)]
        return cls.joined(len(values), [struct.pack(f">{len(pairs)}i", *pairs)])


class TimestampArray(_Array):
    """timestamptz[]"""

    element_oid = 1184

    @classmethod
    def of(cls, values: Sequence[int | None]) -> _Array:
        """From microseconds since 1970; None is NULL."""
        pieces = [_NULL if value is None else struct.pack(">iq", 8, value - MICROS_2000) for value in values]
        return cls.joined(len(values), pieces, nulls=None in values)


class TextArray(_Array):
    """text[]"""

    element_oid = 25

    @classmethod
    def of(cls, values: Sequence[bytes]) -> _Array:
        """From UTF-8."""
        return cls.joined(len(values), [piece for value in values for piece in (_LENGTH(len(value)), value)])


class UuidArray(_Array):
    """uuid[]"""

    element_oid = 2950

    @classmethod
    def of(cls, values: Sequence[UUID]) -> _Array:
        """From UUIDs."""
        return cls.joined(len(values), [piece for value in values for piece in (b"\0\0\0\x10", value.bytes)])


class _ArrayDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: bytes) -> bytes:
        """It is ready."""
        return obj


def _dumper(array_oid: int) -> type[_ArrayDumper]:
    return type("ReadyArrayDumper", (_ArrayDumper,), {"oid": array_oid})


def adapters() -> AdaptersMap:
    """psycopg's own conversions, ready arrays, and times as plain numbers (see `MICROS_2000`)."""
    ours = AdaptersMap(psycopg.adapters)
    for kind, array_oid in ((Int4Array, 1007), (TimestampArray, 1185), (TextArray, 1009), (UuidArray, 2951)):
        ours.register_dumper(kind, _dumper(array_oid))
    # A binary timestamptz is a 64-bit number; a datetime for each would cost more than the rest of the row.
    ours.register_loader("timestamptz", Int8BinaryLoader)
    return ours
