"""What the intake of a partition lets through: each event once, whatever the topic has twice, also after a restart."""

from __future__ import annotations

from functools import cache

from hypothesis import given
from hypothesis import strategies as st

from eskit.consumer import Record
from eskit.consumer.delivery.items import Intake
from eskit.consumer.delivery.progress import Progress
from eskit.consumer.delivery.routes import Routes
from eskit.consumer.stats import Stats
from eskit.kafka.record import Record as Published
from eskit.kafka.record import Source
from eskit.offsets import Claim, Commit
from eskit.testing.log import Message
from tests.integration.consuming import stored

SOURCE = Source("main")


@cache
def recorded(position: int) -> Published:
    return SOURCE.record(stored(position))


def message(offset: int, position: int) -> Message:
    record = recorded(position)
    return Message(offset, record.value, record.headers)


def intake(progress: Progress, *selectors: str) -> Intake:
    routes = Routes()
    routes.add(selectors, note)
    return Intake(routes, Stats(), progress)


def is_new(progress: Progress, position: int) -> bool:
    return not intake(progress).item(message(7, position)).seen_before


async def note(_: Record) -> None: ...


def test_a_duplicate_moves_the_offset_and_not_the_position() -> None:
    progress = Progress("t", Claim(0, epoch=1, offset=7, position=40))
    assert not is_new(progress, 40)
    assert not is_new(progress, 12)
    progress.done(7, 12)
    assert progress.commit() == Commit("t", 0, offset=8, position=40, epoch=1)
    assert is_new(progress, 41)


def test_in_memory_everything_is_new_and_nothing_stored_is_touched_until_it_is_overtaken() -> None:
    progress = Progress("t", Claim(0, epoch=1, offset=2, position=40), in_memory=True)
    assert progress.next_offset is None
    assert progress.replaying
    assert is_new(progress, 1)
    progress.done(0, 39)
    assert (progress.commit(), progress.uncommitted, progress.replaying) == (None, 0, True)
    progress.done(1, 40)
    assert (progress.commit(), progress.replaying) == (None, False)
    progress.done(2, 41)
    assert progress.commit() == Commit("t", 0, offset=3, position=41, epoch=1)


@given(st.lists(st.integers(1, 40), max_size=60), st.integers(0, 60), st.sampled_from(["*", "Thing.*"]))
def test_any_sequence_with_duplicates_is_handled_in_rising_order_without_a_loss(
    positions: list[int], cut: int, selector: str
) -> None:
    """However the zombie relay interleaves: what a prefix-closed history repeats is dropped, also after a restart."""
    # As relays write: each starts somewhere below what is there and goes on without a hole.
    log: list[int] = []
    for start in positions:
        log += range(min(start, max(log, default=0) + 1), max(log, default=0) + 2)
    claim, handled = Claim(0, epoch=1), []
    for part, begin in ((log[:cut], 0), (log[cut:], min(cut, len(log)))):
        progress = Progress("t", claim)
        reading = intake(progress, selector)
        for offset, position in enumerate(part, start=begin):
            item = reading.item(message(offset, position))
            if item.calls:
                handled.append(position)
            progress.done(item.offset, item.position)
        if commit := progress.commit():
            claim = Claim(0, epoch=2, offset=commit.offset, position=commit.position)
    assert handled == sorted(set(log))
