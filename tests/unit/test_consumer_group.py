"""The parts of the group's side that need no broker: options, inboxes, what is made of the brokers' errors."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, get_args

import confluent_kafka
import pytest
from confluent_kafka import KafkaError

from eskit.consumer import Consumer, Tuning
from eskit.consumer.config import GroupOptions, Protocol, kafka_config
from eskit.consumer.group.inbox import Inbox, Marks
from eskit.consumer.group.refusals import Refusals, fatal, shut_out
from eskit.errors import SettingsError
from eskit.settings import Settings


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"protocol": "eager"}, "protocol"),
        ({"instance_id": ""}, "instance_id"),
        ({"instance_id": "billing 1"}, "instance_id"),
        ({"instance_id": "b" * 250}, "instance_id"),
        ({"session_timeout_s": 0}, "session_timeout_s"),
        ({"session_timeout_s": float("nan")}, "session_timeout_s"),
    ],
)
def test_options_of_the_group_that_no_broker_takes_are_refused_by_name(options: dict[str, Any], field: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Consumer("billing", **options)
    assert caught.value.field == field


@pytest.mark.parametrize("protocol", get_args(Protocol))
def test_each_protocol_gets_the_settings_it_takes(protocol: Protocol) -> None:
    options = GroupOptions(protocol, "billing-0", 400.0, Tuning(grace_s=200.0).handover_s).checked()
    config = kafka_config(Settings(kafka_bootstrap="127.0.0.1:1"), "billing", options)
    config["log_level"] = 0
    confluent_kafka.Consumer(config).close()  # it refuses a setting of the other protocol
    assert config["group.instance.id"] == "billing-0"
    assert config.get("session.timeout.ms") == (400_000 if protocol == "classic" else None)
    assert config["max.poll.interval.ms"] > 1000 * Tuning(grace_s=200.0).handover_s


@pytest.mark.parametrize(
    ("code", "field"),
    [
        (KafkaError.FENCED_INSTANCE_ID, "instance_id"),
        (KafkaError.UNSUPPORTED_VERSION, "protocol"),
        (KafkaError.INVALID_SESSION_TIMEOUT, "session_timeout_s"),
    ],
)
def test_a_refused_setting_is_named_whether_the_error_is_fatal_or_not(code: int, field: str) -> None:
    refusals = Refusals({"group.instance.id": "billing-0", "session.timeout.ms": 500})
    for error in (KafkaError(code), as_fatal(code)):
        wrong = refusals.wrong(error)
        assert wrong is not None
        assert wrong.field == field
        assert refusals.held(error) == ""


def as_fatal(code: int) -> KafkaError:
    """As `poll` gives it: by its text only, and without `fatal()`."""
    error = KafkaError(KafkaError._FATAL, f"Fatal error: {KafkaError(code).str()}: more")
    assert not error.fatal()
    return error


def test_other_errors_are_no_settings() -> None:
    refusals = Refusals({"group.instance.id": "billing-0"})
    for code in (KafkaError._ALL_BROKERS_DOWN, KafkaError.INCONSISTENT_GROUP_PROTOCOL):
        assert refusals.wrong(KafkaError(code)) is None
        assert not fatal(KafkaError(code))
    held = as_fatal(KafkaError.UNRELEASED_INSTANCE_ID)
    assert (refusals.wrong(held), fatal(held)) == (None, True)
    assert "'billing-0' is in use" in refusals.held(held)
    assert shut_out(KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED))
    assert not shut_out(KafkaError(KafkaError._ALL_BROKERS_DOWN))


class FakeMessage:
    """Only its size matters."""

    def __len__(self) -> int:
        return 100


async def test_an_inbox_is_bounded_by_number_and_by_bytes() -> None:
    room = threading.Event()
    by_number = Inbox(Tuning(queue_events=2), room)
    by_bytes = Inbox(Tuning(queue_bytes=200), room)
    for inbox in (by_number, by_bytes):
        room.clear()
        inbox.put([FakeMessage()])  # type: ignore[list-item]
        assert (inbox.full, inbox.low) == (False, True)
        inbox.put([FakeMessage()])  # type: ignore[list-item]
        assert (inbox.full, inbox.low) == (True, False)
        await inbox.take(1)
        assert (inbox.full, inbox.low, room.is_set()) == (False, True, True)


async def test_an_inbox_wakes_its_reader_and_ends_when_closed() -> None:
    inbox = Inbox(Tuning(), threading.Event())
    reading = asyncio.ensure_future(inbox.take(1))
    await asyncio.sleep(0)
    await asyncio.to_thread(inbox.put, [FakeMessage()])  # type: ignore[list-item]
    assert len(await asyncio.wait_for(reading, 1)) == 1
    reading = asyncio.ensure_future(inbox.take(1))
    await asyncio.sleep(0)
    inbox.put([FakeMessage()])  # type: ignore[list-item]
    inbox.close()
    assert await asyncio.wait_for(reading, 1) == []


async def test_a_batch_that_fills_up_while_its_reader_waits_for_more_is_given_at_once() -> None:
    inbox = Inbox(Tuning(), threading.Event())
    inbox.put([FakeMessage()])  # type: ignore[list-item]
    reading = asyncio.ensure_future(inbox.take(3, wait_s=60))
    await asyncio.sleep(0)
    for _ in range(2):
        await asyncio.to_thread(inbox.put, [FakeMessage()])  # type: ignore[list-item]
    assert len(await asyncio.wait_for(reading, 5)) == 3


async def test_lag_counts_from_what_is_done_and_not_below_the_first_record() -> None:
    inbox = Inbox(Tuning(), threading.Event())
    assert inbox.lag(5) is None
    inbox.marks = Marks(10, 30)
    assert [inbox.lag(offset) for offset in (None, 5, 12, 30, 31)] == [20, 20, 18, 0, 0]
