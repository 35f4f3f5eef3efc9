"""PostgreSQL's binary arrays: read back what PostgreSQL writes, whatever is in them."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from eventstore_svc.store import arrays

BIGINT, INTEGER = 20, 23


def binary(element: int, values: list[int | None]) -> bytes:
    """As PostgreSQL sends an array (array_send)."""
    if not values:
        return struct.pack(">iiI", 0, 0, element)
    code = ">iq" if element == BIGINT else ">ii"
    length = 8 if element == BIGINT else 4
    pieces = [struct.pack(">i", -1) if value is None else struct.pack(code, length, value) for value in values]
    return struct.pack(">iiIii", 1, int(None in values), element, len(values), 1) + b"".join(pieces)


@given(st.lists(st.none() | st.integers(-(2**63), 2**63 - 1)))
def test_bigint_arrays_are_read(values: list[int | None]) -> None:
    assert arrays.numbers(binary(BIGINT, values)) == [value or 0 for value in values]


@given(st.lists(st.none() | st.integers(-(2**31), 2**31 - 1)))
def test_integer_arrays_are_read(values: list[int | None]) -> None:
    assert arrays.numbers(binary(INTEGER, values)) == [value or 0 for value in values]


@given(st.lists(st.integers(-(2**31), 2**31 - 1)))
def test_integer_arrays_are_written_as_they_are_read(values: list[int]) -> None:
    assert arrays.integers(values) == binary(INTEGER, list(values))


def test_null_is_no_number_at_all() -> None:
    assert arrays.numbers(None) == []
