"""The relay's decisions: what the topic lacks, and what is known to be on it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eskit.errors import TopicMismatch
from eventstore_svc.relay.cursor import Cursor


def test_goes_on_behind_the_lowest_partition_and_skips_what_the_others_have() -> None:
    cursor = Cursor(tails=[10, 0, 7], floor=5, head=12)
    assert cursor.read == 5
    assert [cursor.wants(partition, 8) for partition in (0, 1, 2)] == [False, True, True]


def test_an_empty_partition_does_not_make_it_read_the_whole_log() -> None:
    assert Cursor(tails=[1_000_000, 0], floor=999_000, head=1_000_000).read == 999_000


def test_refuses_a_topic_ahead_of_the_log() -> None:
    with pytest.raises(TopicMismatch, match="position 9, the log ends at 8"):
        Cursor(tails=[9, 3], floor=0, head=8)


def test_published_is_below_the_oldest_undelivered() -> None:
    cursor = Cursor(tails=[0, 0], floor=0, head=4)
    for partition, position in ((0, 1), (1, 2), (0, 3), (1, 4)):
        cursor.sent(partition, position)
        cursor.read = position
    assert (cursor.published, cursor.outstanding) == (0, 4)
    cursor.delivered(1)
    assert cursor.published == 0
    cursor.delivered(0)
    assert cursor.published == 2
    cursor.delivered(1)
    cursor.delivered(0)
    assert (cursor.published, cursor.outstanding) == (4, 0)


@given(st.lists(st.integers(0, 2), min_size=1, max_size=40), st.data())
def test_a_crash_anywhere_loses_nothing_and_sends_nothing_that_is_there(where: list[int], data: st.DataObject) -> None:
    """The topic has a prefix of each partition; a new cursor sends exactly the rest, in order."""
    whole = [[p for p, w in enumerate(where, 1) if w == partition] for partition in range(3)]
    arrived = [data.draw(st.integers(0, len(positions))) for positions in whole]
    tails = [positions[n - 1] if n else 0 for positions, n in zip(whole, arrived, strict=True)]
    undelivered = [p for positions, n in zip(whole, arrived, strict=True) for p in positions[n:]]
    floor = data.draw(st.integers(0, min(undelivered, default=len(where) + 1) - 1))
    cursor = Cursor(tails, floor, head=len(where))
    sent = [p for p, w in enumerate(where, 1) if p > cursor.read and cursor.wants(w, p)]
    assert sent == sorted(undelivered)


def test_it_knows_where_each_partition_ends() -> None:
    cursor = Cursor(tails=[3, 0], floor=3, head=6)
    assert cursor.ends == [3, 0]
    for partition, position in ((0, 4), (1, 5), (0, 6)):
        cursor.sent(partition, position)
    cursor.delivered(0)
    assert cursor.ends == [4, 0]
    cursor.delivered(1)
    cursor.delivered(0)
    assert cursor.ends == [6, 5]
