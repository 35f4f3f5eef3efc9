"""Columns of a batch as PostgreSQL binary arrays, made and read in one go.

psycopg turns a Python list into an array element by element in Python; for group commits that costs more than the
insert.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from uuid import UUID

import psycopg
from psycopg.adapt import AdaptersMap, Dumper
from psycopg.pq import Format
from psycopg.types.numeric import Int8BinaryLoader

_LENGTH = struct.Struct(">i").pack
_HEADER = struct.Struct(">iiIii")
_EMPTY = struct.Struct(">iiI").pack
_NULL = _LENGTH(-1)
# The types of elements, by their number in PostgreSQL's catalog.
_INTEGER, _BIGINT, _TEXT, _TIMESTAMPTZ, _UUID = 23, 20, 25, 1184, 2950
_UUID_ARRAY = 2951

MICROS_2000 = 946_684_800_000_000
"""PostgreSQL counts microseconds from 2000; we count from 1970."""


def integers(values: Sequence[int]) -> bytes:
    """integer[] of 32-bit numbers."""
    pairs = [item for value in values for item in (4, value)]
    return _array(_INTEGER, len(values), [struct.pack(f">{len(pairs)}i", *pairs)])


def timestamps(values: Sequence[int | None]) -> bytes:
    """timestamptz[] of microseconds since 1970; None is NULL."""
    pieces = [_NULL if value is None else struct.pack(">iq", 8, value - MICROS_2000) for value in values]
    return _array(_TIMESTAMPTZ, len(values), pieces, nulls=True)


def texts(values: Sequence[bytes]) -> bytes:
    """text[] of UTF-8."""
    return _array(_TEXT, len(values), [piece for value in values for piece in (_LENGTH(len(value)), value)])


def uuids(values: Sequence[UUID]) -> bytes:
    """uuid[]"""
    return _array(_UUID, len(values), [piece for value in values for piece in (b"\0\0\0\x10", value.bytes)])


def _array(element: int, count: int, pieces: Iterable[bytes], *, nulls: bool = False) -> bytes:
    """An array of `count` elements; the pieces are lengths and values in turn."""
    # An empty array has no dimension.
    header = _HEADER.pack(1, int(nulls), element, count, 1) if count else _EMPTY(0, 0, element)
    return header + b"".join(pieces)


def numbers(array: bytes | None) -> list[int]:
    """The elements of a binary integer[] or bigint[]; NULL reads as 0."""
    if not array:
        return []
    dimensions, has_nulls, element = struct.unpack_from(">iiI", array)
    if not dimensions:
        return []
    count = struct.unpack_from(">i", array, 12)[0]
    code = "q" if element == _BIGINT else "i"
    if not has_nulls:
        return list(struct.unpack_from(f">{('i' + code) * count}", array, _HEADER.size)[1::2])
    found, at = [], _HEADER.size
    for _ in range(count):
        length = struct.unpack_from(">i", array, at)[0]
        found.append(struct.unpack_from(f">{code}", array, at + 4)[0] if length > 0 else 0)
        at += 4 + max(length, 0)
    return found


class UuidArray(bytes):
    """uuid[] as a query parameter of psycopg's: `UuidArray(uuids(...))`."""


class _UuidArrayDumper(Dumper):
    format = Format.BINARY
    oid = _UUID_ARRAY

    def dump(self, obj: bytes) -> bytes:
        """It is ready."""
        return obj


def adapters() -> AdaptersMap:
    """psycopg's own conversions, ready arrays, and times as plain numbers (see `MICROS_2000`)."""
    ours = AdaptersMap(psycopg.adapters)
    ours.register_dumper(UuidArray, _UuidArrayDumper)
    # A binary timestamptz is a 64-bit number; a datetime for each would cost more than the rest of the row.
    ours.register_loader("timestamptz", Int8BinaryLoader)
    return ours
