"""Dead letters at the offsets service: set aside, looked at, wanted back, thrown away, worked off."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from eskit.errors import NotFound
from eskit.letters import UNREADABLE, Cause, DiscardLetters, FailedAgain, Kept, LettersPage, RetryLetters
from eskit.offsets import Reset
from eskit.settings import Settings
from tests.integration.lettering import CAUSE, CONSUMER, TOPIC, Desk, brief, letter, service


@pytest.fixture
async def letters(config: Settings) -> AsyncIterator[Desk]:
    async with service(config) as client:
        yield client


async def test_a_letter_is_kept_whole(letters: Desk) -> None:
    given = letter(7)
    await letters.set_aside(CONSUMER, await letters.claim(), [given])
    kept = await letters.letter(CONSUMER, TOPIC, 0, 7)
    assert (kept.offset, kept.key, kept.failed, kept.position) == (7, "order-7", True, 8)
    assert (kept.event_type, kept.event_id, kept.cause) == ("Order.Paid", "id 7", CAUSE)
    assert (kept.value, kept.headers) == (given.value, given.headers)
    [listed] = await letters.everything()
    assert (listed.value, listed.headers) == (None, None)
    [with_record] = await letters.everything(with_record=True)
    assert with_record == kept
    [key] = await letters.keys()
    assert (key.topic, key.partition, key.key, key.retry, key.first_offset) == (TOPIC, 0, "order-7", False, 7)
    assert key.letters == 1
    assert await letters.consumers() == {CONSUMER: 1}
    with pytest.raises(NotFound):
        await letters.letter(CONSUMER, TOPIC, 0, 8)


async def test_setting_aside_again_changes_nothing_but_a_new_failure(letters: Desk) -> None:
    own = await letters.claim()
    await letters.set_aside(CONSUMER, own, [letter(7), letter(8, failed=False)])
    await letters.set_aside(CONSUMER, own, [letter(7, failed=False), letter(8, failed=False, value=b"other")])
    assert brief(await letters.everything()) == [(7, "order-7", True), (8, "order-7", False)]
    assert (await letters.letter(CONSUMER, TOPIC, 0, 8)).value == letter(8).value
    await letters.set_aside(CONSUMER, own, [letter(8)])
    assert (await letters.letter(CONSUMER, TOPIC, 0, 8)).cause == CAUSE
    await letters.set_aside(CONSUMER, own, [letter(3)])
    [key] = await letters.keys()
    assert (key.first_offset, key.letters) == (3, 3)


async def test_a_key_is_worked_off_in_order_and_then_flows(letters: Desk) -> None:
    own = await letters.claim()
    await letters.set_aside(CONSUMER, own, [letter(7), letter(9, failed=False), letter(8, "order-8")])
    assert await letters.retry(CONSUMER, RetryLetters(keys=["order-7", "nobody"])) == 1
    [wanted] = await letters.keys(topic=TOPIC, partition=0, retry=True)
    assert wanted.key == "order-7"
    assert not await letters.unpark(CONSUMER, own, "order-7")
    assert [key.key for key in await letters.keys()] == ["order-7", "order-8"]
    for offset in (7, 9, 9):
        await letters.done(CONSUMER, own, offset)
    assert await letters.unpark(CONSUMER, own, "order-7")
    assert await letters.unpark(CONSUMER, own, "order-7")
    assert [key.key for key in await letters.keys()] == ["order-8"]
    assert brief(await letters.everything()) == [(8, "order-8", True)]
    assert await letters.retry(CONSUMER, RetryLetters(all=True)) == 1


async def test_a_letter_that_fails_again_has_the_new_cause_and_waits(letters: Desk) -> None:
    own = await letters.claim()
    await letters.set_aside(CONSUMER, own, [letter(7), letter(9, failed=False)])
    await letters.retry(CONSUMER, RetryLetters(all=True))
    other = Cause(error_type="KeyError", error="x", traceback_hash="f" * 16, attempts=2**31 - 1)
    await letters.failed(CONSUMER, FailedAgain(own, 7, "order-7", other))
    assert (await letters.letter(CONSUMER, TOPIC, 0, 7)).cause == other  # attempts are as many as can be counted
    assert [key.retry for key in await letters.keys()] == [False]


async def test_what_failed_is_thrown_away_and_what_waits_behind_it_is_wanted(letters: Desk) -> None:
    own = await letters.claim()
    await letters.set_aside(CONSUMER, own, [letter(7), letter(8, "order-8"), letter(9, failed=False), letter(10)])
    assert await letters.discard(CONSUMER, DiscardLetters("order-7", offsets=[10, 99], by="me", reason="a test")) == 1
    assert await letters.discard(CONSUMER, DiscardLetters("order-7")) == 1
    assert brief(await letters.everything()) == [(8, "order-8", True), (9, "order-7", False)]
    assert [(k.key, k.retry) for k in await letters.keys()] == [
        ("order-7", True),
        ("order-8", False),
    ]
    assert await letters.discard(CONSUMER, DiscardLetters("order-7", all=True)) == 1
    assert await letters.discard(CONSUMER, DiscardLetters("nobody")) == 0
    assert await letters.unpark(CONSUMER, own, "order-7")
    found = (await letters.offsets.resets(CONSUMER)).resets
    assert [a.what for a in found] == ["discard 1 letters of order-7"] * 3
    first = found[-1]
    assert (first.by, first.reason) == ("me", "a test")
    assert first.partitions == [{"topic": TOPIC, "partition": 0, "offset": 10, "event_id": "id 10"}]


async def test_unreadable_records_are_thrown_away_in_one_partition_only(letters: Desk) -> None:
    """They have one key everywhere, and the same offsets."""
    for partition in (0, 1, 2):
        await letters.set_aside(CONSUMER, await letters.claim(partition), [letter(5, UNREADABLE)])
    wanted = DiscardLetters(UNREADABLE, topic=TOPIC, partition=1, offsets=[5])
    assert await letters.discard(CONSUMER, wanted) == 1
    assert [k.partition for k in await letters.everything(key=UNREADABLE)] == [0, 2]


async def test_letters_are_listed_by_all_that_can_be_asked_for(letters: Desk) -> None:
    for partition in (2, 0, 1):
        own = await letters.claim(partition)
        some = [letter(o, f"k{o % 2}", failed=o < 2) for o in range(6)]
        await letters.set_aside(CONSUMER, own, [*some, letter(9, UNREADABLE)])
    assert [(k.partition, k.offset) for k in await letters.everything()] == [
        (partition, offset) for partition in range(3) for offset in (*range(6), 9)
    ]
    assert {k.partition for k in await letters.everything(topic=TOPIC, partition=1)} == {1}
    assert len(await letters.everything(partition=1)) == 7
    assert len(await letters.everything(topic=TOPIC)) == 21
    assert await letters.everything(topic="other") == []
    assert [k.offset for k in await letters.everything(key="k1", topic=TOPIC, partition=2)] == [1, 3, 5]
    assert [(k.partition, k.offset) for k in await letters.everything(key="k0", failed=True)] == [
        (0, 0), (1, 0), (2, 0)]  # fmt: skip
    assert len(await letters.everything(failed=False)) == 12
    wanted: list[dict[str, Any]] = [
        {},
        {"key": "k1"},
        {"failed": True},
        {"topic": TOPIC, "partition": 1},
        {"with_record": True},
    ]
    for which in [*wanted, {"topic": TOPIC, "partition": 1}]:
        whole = await letters.everything(**which)
        assert await paged(letters, 2, which) == whole
        assert await paged(letters, len(whole), which) == whole
    keys = await letters.keys()
    assert [(k.partition, k.key) for k in keys] == [(p, k) for p in range(3) for k in (UNREADABLE, "k0", "k1")]
    assert [k.key for k in await letters.keys(topic=TOPIC, partition=1)] == [UNREADABLE, "k0", "k1"]
    assert await parked_by_pages(letters) == [(k.partition, k.key) for k in keys]


async def paged(letters: Desk, limit: int, which: dict[str, Any]) -> list[Kept]:
    found: list[Kept] = []
    page = LettersPage([], None)
    while True:
        page = await letters.letters(CONSUMER, limit=limit, after=page.next, **which)
        found += page.letters
        if page.next is None:
            return found


async def parked_by_pages(letters: Desk) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    after: str | None = None
    while True:
        page = await letters.parked(CONSUMER, limit=2, after=after, count=False)
        found += [(key.partition, key.key) for key in page.parked]
        assert all(key.letters is None for key in page.parked)
        after = page.next
        if after is None:
            return found


async def test_many_large_letters_go_in_several_calls_and_come_in_several_pages(letters: Desk) -> None:
    """Thirty megabytes: no call is over the limit of a body, no page is more than a few megabytes."""
    given = [letter(n, value=bytes([n]) * 900_000) for n in range(33)]
    await letters.set_aside(CONSUMER, await letters.claim(), given)
    page = await letters.letters(CONSUMER, key="order-7", topic=TOPIC, partition=0, with_record=True)
    assert 4 <= len(page.letters) <= 6
    found = await paged(letters, 100, {"key": "order-7", "with_record": True})
    assert [(k.offset, k.value) for k in found] == [(x.offset, x.value) for x in given]
    assert [k.offset for k in await paged(letters, 100, {"with_record": True})] == list(range(33))


async def test_a_reset_and_a_deletion_take_the_letters_with_them(letters: Desk, config: Settings) -> None:
    own = await letters.claim()
    await letters.set_aside(CONSUMER, own, [letter(3, "early"), letter(7), letter(8, "early", failed=False)])
    await letters.offsets.reset(CONSUMER, Reset(topic=TOPIC, offsets={"0": 5}, force=True))
    assert brief(await letters.everything()) == [(3, "early", True)]
    assert [key.key for key in await letters.keys()] == ["early"]
    assert "2 letters" in (await letters.offsets.resets(CONSUMER)).resets[0].what
    await letters.offsets.delete(CONSUMER, force=True)
    assert await letters.everything() == []
    with psycopg.connect(config.database_url) as connection:
        assert connection.execute("SELECT count(*) FROM offsets.letters, offsets.parked").fetchone() == (0,)
