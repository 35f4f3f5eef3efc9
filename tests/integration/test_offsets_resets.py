"""Resets and deletions: only of an idle consumer or by force, which fences; each leaves an audit row."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import psycopg
import pytest

from eskit import times
from eskit.client.offsets import Offsets
from eskit.errors import ConsumerActive, Fenced, InvalidRequest, NotFound, TopicChanged, Unavailable
from eskit.offsets import Claim, Commit, Reset
from eskit.settings import Settings
from infra.local.broker import KafkaBroker
from offsets_svc.app import offsets_app
from tests.integration.consuming import PARTITIONS, Topic, positions_of, stored
from tests.services import config_for, running

TOPIC = "eskit.application-log"


@pytest.fixture
async def url(config: Settings) -> AsyncIterator[str]:
    async with running(offsets_app(config), config, "offsets_port") as url:
        yield url


@pytest.fixture
async def offsets(url: str) -> AsyncIterator[Offsets]:
    async with Offsets(url) as client:
        yield client


def to(offsets: dict[int, int], **more: Any) -> Reset:
    return Reset(topic=TOPIC, offsets={str(number): offset for number, offset in offsets.items()}, **more)


async def working(offsets: Offsets, partitions: int = 2) -> list[Claim]:
    claims = await offsets.claim("billing", TOPIC, range(partitions), "host")
    for claim in claims:
        await offsets.commit("billing", Commit(TOPIC, claim.partition, 100, 50, claim.epoch))
    return claims


def an_hour_passes(config: Settings) -> None:
    with psycopg.connect(config.database_url, autocommit=True) as owner:
        owner.execute("UPDATE offsets.consumers SET last_seen = last_seen - interval '1 hour'")


async def test_members_at_work_are_not_reset_unless_by_force_and_then_fenced(offsets: Offsets) -> None:
    claims = await working(offsets)
    with pytest.raises(ConsumerActive) as caught:
        await offsets.reset("billing", to({0: 7}))
    assert caught.value.extra["members"] == ["host"]
    [done] = (await offsets.reset("billing", to({0: 7}, force=True))).partitions
    assert (done.partition, done.offset, done.position) == (0, 7, None)
    assert done.epoch > claims[0].epoch
    with pytest.raises(Fenced):
        await offsets.commit("billing", Commit(TOPIC, 0, 101, 51, claims[0].epoch))
    await offsets.commit("billing", Commit(TOPIC, 1, 101, 51, claims[1].epoch))
    zero, one = await offsets.claim("billing", TOPIC, [0, 1], "host")
    assert (zero.offset, zero.position, zero.reset) == (7, None, done.epoch)
    assert (one.offset, one.position, one.reset) == (101, 51, 0)
    await offsets.commit("billing", Commit(TOPIC, 0, 8, 1, zero.epoch))


async def test_who_has_left_or_is_silent_may_be_reset(offsets: Offsets, config: Settings) -> None:
    claims = await working(offsets)
    await offsets.release("billing", TOPIC, claims[:1])
    with pytest.raises(ConsumerActive):
        await offsets.reset("billing", to({0: 1}))
    await offsets.release("billing", TOPIC, claims[1:])
    await offsets.reset("billing", to({0: 1}))
    await working(offsets)
    an_hour_passes(config)
    await offsets.reset("billing", to({0: 1, 1: 2}))
    await offsets.commit_all("billing", [])
    await offsets.delete("billing")


async def test_every_reset_leaves_a_row(offsets: Offsets) -> None:
    await working(offsets)
    with pytest.raises(ConsumerActive):
        await offsets.reset("billing", to({0: 7}))
    assert (await offsets.resets("billing")).resets == []
    await offsets.reset("billing", to({1: 9, 0: 7}, force=True, by="anna", reason="new tax rules"))
    await offsets.delete("billing")
    deleted, row = (await offsets.resets("billing")).resets
    assert (deleted.what, deleted.topic, deleted.forced) == ("delete", "", False)
    assert (row.what.partition(",")[0], row.topic, row.by, row.reason, row.forced) == (
        "given offsets", TOPIC, "anna", "new tax rules", True,
    )  # fmt: skip
    assert [(p["partition"], p["offset"], p["position"]) for p in row.partitions] == [(0, 100, 50), (1, 100, 50)]


async def test_a_deleted_consumer_is_gone_and_its_zombies_stay_fenced(offsets: Offsets) -> None:
    claims = await working(offsets)
    with pytest.raises(ConsumerActive):
        await offsets.delete("billing")
    await offsets.delete("billing", force=True)
    for call in (offsets.consumer("billing"), offsets.delete("billing")):
        with pytest.raises(NotFound):
            await call
    with pytest.raises(Fenced):
        await offsets.commit("billing", Commit(TOPIC, 0, 101, 51, claims[0].epoch))
    [again] = await offsets.claim("billing", TOPIC, [0], "host")
    assert (again.offset, again.reset) == (None, 0)
    assert again.epoch > claims[0].epoch


async def test_a_reset_takes_a_topic_that_was_made_anew(offsets: Offsets) -> None:
    old, new = str(uuid.uuid4()), str(uuid.uuid4())
    claims = await offsets.claim("billing", TOPIC, [0, 1], "host", topic_id=old)
    await offsets.release("billing", TOPIC, claims)
    with pytest.raises(TopicChanged):
        await offsets.claim("billing", TOPIC, [0], "host", topic_id=new)
    await offsets.reset("billing", to({0: 0}, topic_id=new))
    with pytest.raises(TopicChanged):  # 1 still has an offset of the old one
        await offsets.claim("billing", TOPIC, [0, 1], "host", topic_id=new)
    await offsets.reset("billing", to({1: 0}, topic_id=new))
    await offsets.claim("billing", TOPIC, [0, 1], "host", topic_id=new)
    await offsets.reset("billing", to({0: 0, 1: 0}, force=True))
    await offsets.claim("billing", TOPIC, [0, 1], "host", topic_id=old)


async def test_claims_commits_and_resets_at_once(offsets: Offsets) -> None:
    """Whatever comes first: afterwards only the epoch that stands there moves the offset."""
    await working(offsets, 4)

    async def member(name: str) -> None:
        for _ in range(10):
            claims = await offsets.claim("billing", TOPIC, range(4), name)
            await offsets.commit_all("billing", [Commit(TOPIC, c.partition, 1000, epoch=c.epoch) for c in claims])

    async def resetter() -> None:
        for _ in range(10):
            await offsets.reset("billing", to(dict.fromkeys(range(4), 5), force=True))

    async with asyncio.timeout(60):
        await asyncio.gather(*(member(f"m{n}") for n in range(4)), resetter(), resetter())
    last = (await offsets.reset("billing", to(dict.fromkeys(range(4), 5), force=True))).partitions
    state = await offsets.consumer("billing")
    assert [(p.offset, p.epoch) for p in state.partitions] == [(5, r.epoch) for r in last]
    claims = await offsets.claim("billing", TOPIC, range(4), "host")
    assert [claim.reset for claim in claims] == [r.epoch for r in last]
    rows = (await offsets.resets("billing")).resets
    assert len(rows) == 21


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"to": "beginning"}, "topic"),
        ({"topic": TOPIC}, "to"),
        ({"topic": TOPIC, "to": "middle"}, "to"),
        ({"topic": TOPIC, "position": 1, "time": "2026-01-01T00:00:00Z"}, "to"),
        ({"topic": TOPIC, "position": -1}, "position"),
        ({"topic": TOPIC, "time": "yesterday"}, "time"),
        ({"topic": TOPIC, "time": "2026-01-01T00:00:00"}, "time"),
        ({"topic": TOPIC, "offsets": {"0": 2**63}}, "offsets[...]"),
        ({"topic": TOPIC, "offsets": {"x": 1}}, "offsets"),
        ({"topic": TOPIC, "offsets": {}}, "offsets"),
        ({"topic": TOPIC, "offsets": {"0": 1, "00": 2}}, "offsets"),
        ({"topic": TOPIC, "offsets": {str(n): 1 for n in range(1001)}}, "offsets"),
        ({"topic": TOPIC, "offsets": {"0": 1}, "partitions": [0]}, "partitions"),
        ({"topic": TOPIC, "to": "end", "partitions": []}, "partitions"),
        ({"topic": TOPIC, "to": "end", "partitions": [1, 1]}, "partitions"),
        ({"topic": TOPIC, "offsets": {"0": 1}, "by": "a\x00"}, "by"),
        ({"topic": TOPIC, "offsets": {"0": 1}, "reason": "r" * 1001}, "reason"),
        ({"topic": TOPIC, "offsets": {"0": 1}, "topic_id": "1"}, "topic_id"),
        ({"topic": TOPIC, "to": "end", "more": 1}, "more"),
        ({"topic": "a b", "to": "end"}, "topic"),
        ({"topic": "ab\n", "offsets": {"0": 1}}, "topic"),
        ({"topic": TOPIC, "to": "end"}, "to"),  # without Kafka
    ],
)
async def test_bad_input_names_its_field_and_changes_nothing(offsets: Offsets, url: str, body: Any, field: str) -> None:
    await working(offsets)
    before = await offsets.consumer("billing")
    async with aiohttp.ClientSession() as session:
        answer = await session.post(f"{url}/v1/consumers/billing/reset", json=body | {"force": True})
        problem = await answer.json()
    assert (answer.status, problem.get("field")) == (422, field), problem
    assert (await offsets.consumer("billing")).partitions == before.partitions
    assert (await offsets.resets("billing")).resets == []


async def test_an_unknown_consumer_is_not_found(offsets: Offsets) -> None:
    with pytest.raises(NotFound):
        await offsets.reset("nobody", to({0: 1}))
    with pytest.raises(NotFound):
        await offsets.delete("nobody")
    assert (await offsets.resets("nobody")).resets == []


async def test_resets_by_kafka(log_config: Settings, kafka_broker: KafkaBroker) -> None:
    topic = Topic(log_config, kafka_broker)
    topic.add_positions(range(1, 1001))
    ends = [len(positions_of(number, range(1, 1001))) for number in range(PARTITIONS)]
    async with running(offsets_app(log_config), log_config, "offsets_port") as url, Offsets(url) as offsets:
        await offsets.commit("billing", Commit(topic.name, 0, 3))

        async def reset(**place: Any) -> list[tuple[int, int, int | None]]:
            done = (await offsets.reset("billing", Reset(topic=topic.name, **place))).partitions
            return [(one.partition, one.offset, one.position) for one in done]

        assert await reset(to="end") == [(n, ends[n], None) for n in range(PARTITIONS)]
        assert await reset(to="beginning", partitions=[2]) == [(2, 0, None)]
        first = [sum(p < 500 for p in positions_of(n, range(1, 1001))) for n in range(PARTITIONS)]
        assert await reset(position=500) == [(n, first[n], 499) for n in range(PARTITIONS)]
        moment = times.moment(stored(500).recorded_at_us)
        assert await reset(time=moment) == [(n, first[n], None) for n in range(PARTITIONS)]
        assert await reset(position=10**9) == [(n, ends[n], 10**9 - 1) for n in range(PARTITIONS)]
        assert [p.offset for p in (await offsets.consumer("billing")).partitions] == ends
        wrong_ones = {
            "topic": Reset(topic="no-such-topic", to="end"),
            "partitions": Reset(topic=topic.name, to="end", partitions=[9]),
        }
        for field, wrong in wrong_ones.items():
            with pytest.raises(InvalidRequest) as caught:
                await offsets.reset("billing", wrong)
            assert caught.value.field == field


async def test_without_kafka_only_what_needs_it_is_refused(config: Settings) -> None:
    away = config_for(config.database_url, "127.0.0.1:1")
    async with (
        running(offsets_app(away), away, "offsets_port") as url,
        Offsets(url, patience_s=0) as offsets,
    ):
        await offsets.commit("billing", Commit(TOPIC, 0, 3))
        with pytest.raises(Unavailable, match="Kafka"):
            await offsets.reset("billing", Reset(topic=TOPIC, to="end"))
        await offsets.reset("billing", to({0: 1}))
        await offsets.wait_until_ready()
