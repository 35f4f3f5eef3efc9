"""The testing kit: a log in memory, its consumers, what they leave behind."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from eskit.consumer import Consumer, DeadLetter, Event, HandlerStopped, Position, Stop, Tuning
from eskit.errors import InvalidRequest
from eskit.testing import Log, consume

QUICK = Tuning(retry_least_s=0.001, retry_most_s=0.002)


def noting(name: str = "notes", **options: object) -> tuple[Consumer, list[str]]:
    consumer = Consumer(name, tuning=QUICK, **options)  # type: ignore[arg-type]
    seen: list[str] = []

    @consumer.on("User.*")
    async def note(event: Event) -> None:
        if event.data().get("broken"):
            raise DeadLetter("broken")
        seen.append(f"{event.event_type} {event.originator.id} {event.originator.version}")

    return consumer, seen


async def test_given_events_when_handled_then_effects() -> None:
    log = Log()
    log.append("User.Created", "ada", {"name": "Ada"})
    log.append("Order.Placed", "order-1")
    updated = log.append("User.Updated", "ada", {"name": "Ada L."}, metadata={"user": "grace"})
    assert (updated.position, updated.originator.version, updated.metadata) == (3, 2, {"user": "grace"})
    consumer, seen = noting()
    await consume(consumer, log)
    assert seen == ["User.Created ada 1", "User.Updated ada 2"]
    assert sum(offset or 0 for offset in log.offsets.of("notes").values()) == 3

    log.append("User.Deleted", "ada")
    await consume(consumer, log)
    assert seen[2:] == ["User.Deleted ada 3"]


async def test_what_fails_is_kept_with_what_follows_and_can_be_handled_again() -> None:
    log = Log()
    for payload in ({}, {"broken": True}, {}):
        log.append("User.Changed", "ada", payload)
    log.append("User.Changed", "grace")
    consumer, seen = noting()
    await consume(consumer, log)
    assert sorted(seen) == ["User.Changed ada 1", "User.Changed grace 1"]
    assert [(aside.item.position, aside.failure is not None) for aside in log.letters.of("notes")] == [
        (2, True),
        (3, False),
    ]


async def test_replay_takes_the_events_alone() -> None:
    log = Log()
    for name in ("ada", "grace", "ada"):
        log.append("User.Changed", name)
    consumer, seen = noting()
    await consumer.replay(log.events)
    assert sorted(seen) == ["User.Changed ada 1", "User.Changed ada 2", "User.Changed grace 1"]
    log.append("User.Changed", "linus", {"broken": True})
    with pytest.raises(HandlerStopped, match=r"event 4 \(linus\) was set aside: .*broken"):
        await consumer.replay(log.events)


async def test_stop_is_raised() -> None:
    log = Log()
    log.append("User.Changed", "ada")
    consumer = Consumer("c", on_error={ValueError: Stop})

    @consumer.on()
    async def fail(event: Event) -> None:
        raise ValueError(event.position)

    with pytest.raises(HandlerStopped):
        await consume(consumer, log)


@pytest.mark.parametrize(
    ("start", "wanted"),
    [
        ("beginning", [1, 2, 3]),
        ("end", []),
        (Position(2), [2, 3]),
        (datetime(2026, 1, 3, tzinfo=UTC), [3]),
        (datetime(2027, 1, 1, tzinfo=UTC), []),
    ],
)
async def test_where_it_starts(start: object, wanted: list[int]) -> None:
    days = iter(range(1, 10))
    log = Log(1, clock=lambda: datetime(2026, 1, next(days), tzinfo=UTC))
    for number in range(3):
        log.append("User.Changed", f"user-{number}")
    consumer = Consumer("c", start=start)  # type: ignore[arg-type]
    seen: list[int] = []

    @consumer.on()
    async def note(event: Event) -> None:
        seen.append(event.position)

    await consume(consumer, log)
    assert seen == wanted
    log.append("User.Changed", "user-9")
    await consume(consumer, log)
    assert seen == [*wanted, 4]


def test_wrong_names_are_refused() -> None:
    with pytest.raises(InvalidRequest):
        Log().append("Created", "ada")
    with pytest.raises(InvalidRequest):
        Log().append("User.Created", "")
