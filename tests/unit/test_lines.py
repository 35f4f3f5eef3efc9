"""Bodies cut into lines: however they arrive, the same lines."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from eskit.web.lines import Line, Splitter

LIMIT = 8
# JSON's own blanks; Python takes more for such.
BLANK = b" \t\r"
BODIES = st.lists(st.binary(max_size=12).map(lambda b: b.replace(b"\n", b"x")), max_size=12).map(b"\n".join)


def expected(body: bytes) -> list[Line]:
    found = []
    parts = body.split(b"\n")
    if parts[-1] == b"":
        parts.pop()
    for number, part in enumerate(parts, 1):
        if len(part) > LIMIT:
            found.append(Line(number, None))
        elif part.strip(BLANK):
            found.append(Line(number, part.strip(BLANK)))
    return found


@given(BODIES, st.lists(st.integers(0, 150), max_size=6))
def test_lines_do_not_depend_on_how_they_arrive(body: bytes, cuts: list[int]) -> None:
    splitter = Splitter(LIMIT)
    places = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    found: list[Line] = []
    for start, end in pairwise(places):
        found += splitter.feed(body[start:end])
    assert found + splitter.end() == expected(body)


def test_nothing_is_kept_of_a_line_that_is_too_long() -> None:
    splitter = Splitter(LIMIT)
    for _ in range(1000):
        assert splitter.feed(b"x" * 1000) == []
    assert splitter._rest == []
    assert splitter.feed(b"\nok\n") == [Line(1, None), Line(2, b"ok")]
