"""The lag from samples of a partition's end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from offsets_svc.topics.ends import MAX_SAMPLES, Ends, Lag


def test_a_partition_that_was_never_seen_has_no_lag() -> None:
    assert Ends().lag(0, 5.0) == Lag(0, 0.0)


def test_the_lag_is_since_the_end_passed_the_offset() -> None:
    ends = Ends()
    for at, high in ((0.0, 10), (1.0, 10), (2.0, 15), (3.0, 15), (4.0, 21)):
        ends.seen(at, high)
    assert ends.lag(21, 9.0) == Lag(0, 0.0)
    assert ends.lag(22, 9.0) == Lag(0, 0.0)  # a commit that is newer than the last look
    assert ends.lag(20, 9.0) == Lag(1, 5.0)
    assert ends.lag(15, 9.0) == Lag(6, 5.0)
    assert ends.lag(14, 9.0) == Lag(7, 7.0)
    assert ends.lag(10, 9.0) == Lag(11, 7.0)
    assert ends.lag(9, 9.0) == Lag(12, None)  # older than the first look


def test_records_that_are_gone_do_not_count() -> None:
    ends = Ends()
    ends.seen(0.0, 10)
    ends.seen(1.0, 20)
    ends.low = 12
    assert ends.lag(3, 9.0) == Lag(8, 8.0)
    assert ends.next_record(3) == 12
    ends.low = 20
    assert ends.lag(3, 9.0) == Lag(0, 0.0)


def test_an_end_that_goes_back_is_another_topic() -> None:
    ends = Ends()
    for at, high in ((0.0, 10), (1.0, 20), (2.0, 3), (3.0, 5)):
        ends.seen(at, high)
    assert ends.lag(3, 9.0) == Lag(2, 6.0)
    assert ends.lag(2, 9.0) == Lag(3, None)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=50), st.integers(0, 120))
def test_the_lag_is_what_all_samples_say(steps: list[int], offset: int) -> None:
    ends, high, passed = Ends(), 0, None
    for at, step in enumerate(steps):
        high += step
        ends.seen(float(at), high)
        if passed is None and high > offset:
            passed = at
    wanted = Lag(0, 0.0) if passed is None else Lag(high - offset, None if passed == 0 else 100.0 - passed)
    assert ends.lag(offset, 100.0) == wanted


def test_samples_are_bounded_and_the_newest_stay_exact() -> None:
    ends = Ends()
    for at in range(20 * MAX_SAMPLES):
        ends.seen(float(at), at)
        assert len(ends._times) == len(ends._highs) <= MAX_SAMPLES
    now = float(20 * MAX_SAMPLES)
    for back in range(1, MAX_SAMPLES // 2):
        assert ends.lag(int(now) - 1 - back, now).seconds == float(back)
    oldest = ends.lag(100, now).seconds
    assert oldest is not None
    assert now - 101 >= oldest > 0
