"""The pure parts of the consumer runtime: duplicates, what may be committed, who wants what, who has caught up."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eskit.consumer import Consumer, Record
from eskit.consumer.config import GroupOptions, kafka_config
from eskit.consumer.delivery.catchup import CatchUp
from eskit.consumer.delivery.progress import Progress
from eskit.consumer.delivery.routes import Routes
from eskit.errors import EskitError, Fenced, InvalidRequest, OffsetRegression, SettingsError, Unavailable
from eskit.offsets import Claim, Commit, Committed
from eskit.settings import Settings
from eskit.verdicts import verdict


def test_nothing_is_committed_before_anything_is_done() -> None:
    progress = Progress("t", Claim(0, epoch=1))
    assert progress.commit() is None
    assert progress.uncommitted == 0
    progress.done(0, 5)
    assert progress.commit() == Commit("t", 0, offset=1, position=5, epoch=1)


def test_what_is_stored_is_not_committed_again() -> None:
    progress = Progress("t", Claim(0, epoch=3, offset=7, position=40))
    assert progress.commit() is None
    progress.done(7, 41)
    commit = progress.commit()
    assert commit == Commit("t", 0, offset=8, position=41, epoch=3)
    progress.done(8, 44)
    progress.committed(commit)
    assert progress.uncommitted == 1
    assert progress.commit() == Commit("t", 0, offset=9, position=44, epoch=3)
    assert progress.commit_again() == commit


def test_starting_at_the_end_is_worth_a_commit() -> None:
    progress = Progress("t", Claim(0, epoch=1))
    progress.begin_at(0)
    assert progress.commit() == Commit("t", 0, offset=0, position=None, epoch=1)


@given(
    stored=st.integers(0, 5),
    position=st.integers(0, 5),
    epoch=st.integers(0, 3),
    commit=st.builds(
        Commit,
        topic=st.just("t"),
        partition=st.just(0),
        offset=st.integers(0, 5),
        position=st.none() | st.integers(0, 5),
        epoch=st.none() | st.integers(0, 3),
    ),
)
def test_the_verdict_is_what_the_rule_says(stored: int, position: int, epoch: int, commit: Commit) -> None:
    fenced = (commit.epoch or 0) != epoch
    back = commit.offset < stored or (commit.position is not None and commit.position < position)
    after = Committed("t", 0, stored, position, epoch)
    if not fenced and not back:
        after = Committed("t", 0, commit.offset, position if commit.position is None else commit.position, epoch)
    outcome = verdict(commit, after)
    assert isinstance(outcome, Fenced) == fenced
    assert isinstance(outcome, OffsetRegression) == (back and not fenced)


async def note(_: Record) -> None: ...


async def note_too(_: Record) -> None: ...


def test_routes_keep_the_order_of_declaration() -> None:
    routes = Routes()
    routes.add(("User.*", "Order.Created"), note)
    routes.add((), note_too)
    assert routes.of("User", "Deleted") == (note, note_too)
    assert routes.of("Order", "Created") == (note, note_too)
    assert routes.of("Order", "Deleted") == (note_too,)


def test_declarations_are_checked_at_once() -> None:
    with pytest.raises(InvalidRequest):
        Consumer("no spaces")
    consumer = Consumer("c")
    with pytest.raises(InvalidRequest):

        @consumer.on("Created")
        async def handler(event: object) -> None: ...

    with pytest.raises(TypeError, match="async"):

        @consumer.on()
        def sync_handler(event: object) -> None: ...


async def test_a_consumer_without_handlers_does_not_run() -> None:
    with pytest.raises(EskitError, match="no handlers"):
        await Consumer("c").run(Settings(kafka_bootstrap="127.0.0.1:1"))


async def test_without_settings_it_takes_those_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KAFKA_BOOTSTRAP", "ESKIT_KAFKA_BOOTSTRAP"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SettingsError, match="KAFKA_BOOTSTRAP"):
        await Consumer("c").run()
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "127.0.0.1:1")
    with pytest.raises(EskitError, match="no handlers"):
        await Consumer("c").run()


async def test_a_consumer_that_does_not_run_is_not_ready() -> None:
    with pytest.raises(Unavailable):
        await Consumer("c").check()


async def test_caught_up_is_for_consumers_in_memory() -> None:
    with pytest.raises(EskitError, match="in_memory"):
        await Consumer("c").caught_up(1)


def test_no_option_can_take_a_promise_away() -> None:
    options = {"enable.auto.commit": "true", "auto.offset.reset": "latest", "security.protocol": "ssl"}
    config = kafka_config(
        Settings(kafka_bootstrap="b:1", kafka_options=options, log="tenant"), "billing", GroupOptions()
    )
    assert config["enable.auto.commit"] is False
    assert config["auto.offset.reset"] == "error"
    assert config["security.protocol"] == "ssl"
    assert config["group.id"] == "billing.tenant"
    assert kafka_config(Settings(kafka_bootstrap="b:1"), "billing", GroupOptions())["group.id"] == "billing"


async def test_caught_up_when_every_position_was_seen_in_whatever_order() -> None:
    catch_up = CatchUp()
    waiting = asyncio.ensure_future(catch_up.reached(4))
    for partition, position in ((0, 1), (1, 4), (1, 6), (0, 3)):
        catch_up.seen(partition, position)
        await asyncio.sleep(0)
        assert not waiting.done()
    catch_up.seen(2, 2)
    await asyncio.wait_for(waiting, 1)


async def test_caught_up_with_a_head_that_was_passed_before() -> None:
    catch_up = CatchUp()
    for position in (1, 2, 5):
        catch_up.seen(0, position)
    waiting = asyncio.ensure_future(catch_up.reached(3))
    await asyncio.sleep(0)
    assert not waiting.done()
    catch_up.seen(1, 3)
    catch_up.seen(1, 4)
    await asyncio.wait_for(waiting, 1)


async def test_what_a_partition_had_seen_goes_with_it() -> None:
    catch_up = CatchUp()
    catch_up.seen(0, 1)
    waiting = asyncio.ensure_future(catch_up.reached(2))
    await asyncio.sleep(0)
    catch_up.dropped(0)
    catch_up.seen(1, 2)
    await asyncio.sleep(0)
    assert not waiting.done()
    catch_up.seen(0, 1)
    await asyncio.wait_for(waiting, 1)


async def test_an_empty_log_is_caught_up_with_at_once() -> None:
    await asyncio.wait_for(CatchUp().reached(0), 1)
