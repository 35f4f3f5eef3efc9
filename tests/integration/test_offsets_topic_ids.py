"""A topic that was deleted and made anew: its offsets mean other records, so nobody goes on with the old ones."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest
from confluent_kafka import Uuid

from eskit.client.offsets import Offsets
from eskit.errors import Fenced, InvalidRequest, TopicChanged
from eskit.offsets import Claim, Commit, Committed
from eskit.settings import Settings
from offsets_svc.app import offsets_app
from tests.services import running

TOPIC = "eskit.application-log"
OLD, NEW = str(uuid.UUID(int=1)), str(uuid.UUID(int=2))


@pytest.fixture
async def offsets(config: Settings) -> AsyncIterator[Offsets]:
    async with running(offsets_app(config), config, "offsets_port") as url, Offsets(url) as client:
        yield client


async def test_the_first_id_is_kept_and_with_another_nothing_is_claimed(offsets: Offsets) -> None:
    [owner] = await offsets.claim("billing", TOPIC, [0], "host", topic_id=OLD)
    with pytest.raises(TopicChanged) as caught:
        await offsets.claim("billing", TOPIC, [0, 1], "other", topic_id=NEW)
    assert (caught.value.extra["stored"], caught.value.extra["given"]) == (OLD, NEW)
    stored = await offsets.commit("billing", Commit(TOPIC, 0, offset=7, epoch=owner.epoch))
    assert stored == Committed(TOPIC, 0, offset=7, position=None, epoch=owner.epoch, topic_id=OLD)
    state = await offsets.consumer("billing")
    assert [(p.partition, p.member) for p in state.partitions] == [(0, "host")]


async def test_other_topics_and_consumers_have_ids_of_their_own(offsets: Offsets) -> None:
    await offsets.claim("billing", TOPIC, [0], "host", topic_id=OLD)
    await offsets.claim("billing", "other", [0], "host", topic_id=NEW)
    await offsets.claim("mailing", TOPIC, [0], "host", topic_id=NEW)
    with pytest.raises(TopicChanged):
        await offsets.claim("mailing", TOPIC, [0], "host", topic_id=OLD)


async def test_a_claim_without_an_id_is_not_checked(offsets: Offsets) -> None:
    await offsets.claim("billing", TOPIC, [0], "host", topic_id=OLD)
    await offsets.claim("billing", TOPIC, [0], "host")
    with pytest.raises(TopicChanged):
        await offsets.claim("billing", TOPIC, [0], "host", topic_id=NEW)


async def test_ids_count_as_what_they_are_and_not_as_they_are_written(offsets: Offsets) -> None:
    ident = uuid.UUID(bytes=b"\xff\xfe" * 8)
    high, low = (int.from_bytes(part, signed=True) for part in (ident.bytes[:8], ident.bytes[8:]))
    for text in (str(Uuid(high, low)), str(ident), str(ident).upper(), str(Uuid(high, low)).replace("/", "_")):
        await offsets.claim("billing", TOPIC, [0], "host", topic_id=text)


@pytest.mark.parametrize("text", ["", "x" * 22 + "!", "x" * 21, "ü" * 22, "1" * 36, "{" + OLD[1:-1] + "}", "x" * 37])
async def test_what_is_no_id_is_refused(offsets: Offsets, text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await offsets.claim("billing", TOPIC, [0], "host", topic_id=text)
    assert caught.value.field == "topic_id"
    [outcome] = await asyncio.gather(
        offsets.commit_all("billing", [Commit(TOPIC, 0, 1, topic_id=text)]), return_exceptions=True
    )
    assert isinstance(outcome, InvalidRequest)
    assert outcome.field == "offsets[0].topic_id"


async def test_a_commit_from_another_topic_is_refused(offsets: Offsets) -> None:
    [owner] = await offsets.claim("billing", TOPIC, [0], "host", topic_id=OLD)
    with pytest.raises(TopicChanged):
        await offsets.commit("billing", Commit(TOPIC, 0, offset=7, epoch=owner.epoch, topic_id=NEW))
    await offsets.commit("billing", Commit(TOPIC, 0, offset=7, epoch=owner.epoch, topic_id=OLD))


async def test_a_commit_without_a_claim_keeps_the_first_id_too(offsets: Offsets) -> None:
    await offsets.commit("script", Commit(TOPIC, 0, offset=7, topic_id=OLD))
    with pytest.raises(TopicChanged):
        await offsets.commit("script", Commit(TOPIC, 0, offset=7, topic_id=NEW))
    with pytest.raises(TopicChanged):
        await offsets.claim("script", TOPIC, [0], "host", topic_id=NEW)


async def test_of_two_first_claims_with_different_ids_one_is_taken(offsets: Offsets) -> None:
    for number in range(10):
        found = await asyncio.gather(
            *(offsets.claim(f"c{number}", TOPIC, range(6), "m", topic_id=ident) for ident in (OLD, NEW)),
            return_exceptions=True,
        )
        assert sorted(isinstance(one, TopicChanged) for one in found) == [False, True]


async def test_who_leaves_in_order_is_named_no_more(offsets: Offsets) -> None:
    claims = await offsets.claim("billing", TOPIC, range(3), "old")
    [newer] = await offsets.claim("billing", TOPIC, [1], "new")
    for _ in range(2):
        await offsets.release("billing", TOPIC, claims)
    await offsets.release("nobody", TOPIC, claims)
    state = await offsets.consumer("billing")
    assert [p.member for p in state.partitions] == [None, "new", None]
    await offsets.commit("billing", Commit(TOPIC, 1, offset=1, epoch=newer.epoch))
    await offsets.release("billing", TOPIC, [Claim(9, 1)])


async def test_what_was_left_is_still_fenced_by_the_next_claim(offsets: Offsets) -> None:
    [left] = await offsets.claim("billing", TOPIC, [0], "old")
    await offsets.release("billing", TOPIC, [left])
    await offsets.commit("billing", Commit(TOPIC, 0, offset=1, epoch=left.epoch))
    await offsets.claim("billing", TOPIC, [0], "new")
    with pytest.raises(Fenced):
        await offsets.commit("billing", Commit(TOPIC, 0, offset=2, epoch=left.epoch))
