"""The pure parts of delivery: what follows an error, how far is done, what is kept of a failure."""

from __future__ import annotations

import aiohttp
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eskit.consumer import DeadLetter, Retry, Stop, Tuning
from eskit.consumer.delivery.failures import failure
from eskit.consumer.delivery.frontier import Frontier
from eskit.consumer.delivery.policy import Pause, Policy
from eskit.consumer.delivery.progress import Progress
from eskit.consumer.stats import Histogram
from eskit.errors import Unavailable
from eskit.kafka.record import UndecodableRecord
from eskit.letters import MAX_ERROR
from eskit.offsets import Claim

TUNING = Tuning(retry_least_s=0.1, retry_most_s=2.0)
POLICY = Policy.of({}, TUNING, in_memory=False)


@given(st.permutations(range(30)), st.sets(st.integers(0, 29)))
def test_the_offset_never_passes_what_is_not_done(order: list[int], never: set[int]) -> None:
    progress = Progress("t", Claim(0, epoch=1))
    frontier = Frontier(progress)
    begun = [frontier.begin(offset, offset + 100) for offset in range(30)]
    done: set[int] = set()
    for offset in order:
        if offset in never:
            continue
        frontier.end(begun[offset])
        done.add(offset)
        first_open = next((n for n in range(30) if n not in done), 30)
        assert progress.next_offset == (first_open or None)
        assert progress.last_position == (first_open + 99 if first_open else 0)
    assert len(frontier) == 30 - (progress.next_offset or 0)


def test_what_passes_by_itself_is_tried_without_an_end() -> None:
    for error in (ConnectionResetError(), TimeoutError(), psycopg.OperationalError(), Unavailable("away"),
                  aiohttp.ServerDisconnectedError()):  # fmt: skip
        assert isinstance(POLICY.decide(error, 10_000), Pause)
        assert POLICY.waits_out(error)


def test_anything_else_is_tried_five_times_and_set_aside() -> None:
    error = KeyError("x")
    assert all(isinstance(POLICY.decide(error, attempt), Pause) for attempt in range(1, 5))
    assert isinstance(POLICY.decide(error, 5), DeadLetter)
    assert not POLICY.waits_out(error)


def test_pauses_double_with_jitter_up_to_the_longest() -> None:
    for attempt, longest in ((1, 0.1), (2, 0.2), (3, 0.4), (10, 2.0), (5000, 2.0)):
        for _ in range(20):
            decision = POLICY.decide(TimeoutError(), attempt)
            assert isinstance(decision, Pause)
            assert longest / 2 <= decision.seconds <= longest


def test_the_nearest_class_counts_and_a_handlers_own_word_most() -> None:
    policy = Policy.of(
        {LookupError: Stop, KeyError: DeadLetter, Exception: Retry(attempts=1, then=Stop)}, TUNING, in_memory=False
    )
    assert isinstance(policy.decide(KeyError(), 1), DeadLetter)
    assert isinstance(policy.decide(IndexError(), 1), Stop)
    assert isinstance(policy.decide(ValueError(), 1), Stop)
    assert isinstance(policy.decide(TimeoutError(), 1), Pause)
    assert isinstance(policy.decide(DeadLetter("now"), 1), DeadLetter)
    assert isinstance(policy.decide(Retry(attempts=3), 2), Pause)
    assert isinstance(policy.decide(Retry(attempts=3, then=Stop), 3), Stop)


def test_a_view_in_memory_leaves_nothing_out() -> None:
    policy = Policy.of({}, TUNING, in_memory=True)
    assert isinstance(policy.decide(ValueError(), 10_000), Pause)
    assert isinstance(policy.decide(UndecodableRecord("x"), 1), Stop)
    assert isinstance(policy.decide(DeadLetter("x"), 1), Stop)


def test_a_retry_without_attempts_is_refused() -> None:
    with pytest.raises(ValueError, match="attempts"):
        Retry(attempts=0)


def raised(number: int) -> BaseException:
    try:
        int(f"no account {number}\0\ud800", 7)
    except ValueError as error:
        return error
    raise AssertionError


def test_equal_causes_have_equal_hashes_whatever_the_event() -> None:
    one, two = failure(raised(1), 1), failure(raised(2), 5)
    assert one.traceback_hash == two.traceback_hash
    assert (one.error_type, one.attempts, two.attempts) == ("ValueError", 1, 5)
    assert failure(KeyError(), 1).traceback_hash != one.traceback_hash
    assert "\0" not in one.error
    one.error.encode()
    assert len(failure(ValueError("x" * 10_000), 1).error) == MAX_ERROR


def test_a_histogram_counts_by_size() -> None:
    histogram = Histogram((1.0, 10.0))
    for value in (0.5, 1.0, 5.0, 100.0):
        histogram.observe(value)
    assert (histogram.counts, histogram.sum) == ([2, 1, 1], 106.5)
