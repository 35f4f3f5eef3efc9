"""The example consumer in Go when something is away, and when going on would skip events."""

from __future__ import annotations

import asyncio
import signal

import msgspec
import pytest

from eskit.client.offsets import Offsets
from eskit.offsets import Commit
from eskit.settings import Settings
from infra.local.broker import KafkaBroker
from tests.integration.consuming import (
    PARTITIONS,
    Topic,
    all_saved,
    last_of,
    positions_of,
    saved,
    stored,
)
from tests.integration.go_consumer import Effects, Go, GoMember, Members
from tests.services import ServiceProcess, own_log, processes, until

pytestmark = pytest.mark.slow


async def code(member: GoMember) -> int:
    """With which it ends by itself."""
    return await asyncio.to_thread(member.wait, 30.0)


@pytest.mark.real_kafka
async def test_it_waits_for_what_is_away(
    go: Go, effects: Effects, database_url: str, private_kafka: KafkaBroker
) -> None:
    config = own_log(database_url, private_kafka.bootstrap)
    offsets = ServiceProcess("offsets_svc", config, "offsets_port")
    config = msgspec.structs.replace(config, offsets_url=offsets.url)
    early, member = GoMember(go, config, effects), GoMember(go, config, effects)
    with processes(offsets, early, member):
        early.start()
        topic = Topic(config, private_kafka)  # it has to find that, too
        await until(lambda: "the offsets service is away" in early.output(), 60, early.output)
        assert await asyncio.to_thread(early.stop) == 0, early.output()
        member.start()
        topic.add_positions(range(1, 101))
        await until(lambda: "the offsets service is away" in member.output(), 60, member.output)
        assert effects.lines() == []
        await offsets.start().ready()
        await until(lambda: all_saved(config, "billing", last_of(range(1, 101))), 60, member.output)
        offsets.kill()
        topic.add_positions(range(101, 201))
        await until(lambda: effects.complete(range(1, 201)), 60, member.output)
        private_kafka.kill()
        await offsets.start().ready()
        private_kafka.start()
        topic.add_positions(range(201, 301))
        await until(lambda: all_saved(config, "billing", last_of(range(1, 301))), 60, member.output)
        for number in range(PARTITIONS):
            # Without a broker its partitions are lost to it, so what was not committed then may be done again.
            assert list(dict.fromkeys(effects.of(number))) == positions_of(number, range(1, 301))
        assert await asyncio.to_thread(member.stop) == 0, member.output()


@pytest.mark.real_kafka
async def test_it_stops_in_order_while_everything_is_away(
    go: Go, effects: Effects, database_url: str, private_kafka: KafkaBroker
) -> None:
    config = own_log(database_url, private_kafka.bootstrap)
    offsets = ServiceProcess("offsets_svc", config, "offsets_port")
    config = msgspec.structs.replace(config, offsets_url=offsets.url)
    member = GoMember(go, config, effects)
    with processes(offsets, member):
        await offsets.start().ready()
        Topic(config, private_kafka).add_positions(range(1, 101))
        member.start()
        await until(lambda: effects.complete(range(1, 101)), 60, member.output)
        offsets.kill()
        private_kafka.kill()
        member.signal(signal.SIGTERM)
        assert await asyncio.to_thread(member.wait, 60.0) == 0, member.output()


async def test_what_is_not_wanted_moves_the_offset_and_what_was_seen_comes_once(
    config: Settings, effects: Effects, members: Members, topic: Topic
) -> None:
    events = [stored(p, action="Deleted" if p % 3 == 0 else "Changed") for p in range(1, 201)]
    topic.add([*events, *events])
    member = members.start("-select", "User.*,*.Deleted")
    await until(lambda: all_saved(config, "billing", last_of(range(1, 201))), 60, member.output)
    assert await asyncio.to_thread(member.stop) == 0
    found = {line.position: line.event for line in effects.lines()}
    assert sorted(line.position for line in effects.lines()) == list(range(3, 201, 3))
    assert found[3]["originator"] == {"id": "thing-3", "version": 1}
    assert (found[3]["event_type"], found[3]["payload"]) == ("Thing.Deleted", {"n": 3})
    assert found[3]["recorded_at"] == "2023-11-14T22:13:20.000003Z"
    assert sum(offset or 0 for offset, _ in (await saved(config, "billing")).values()) == 400


async def test_a_record_that_is_no_event_ends_it_after_what_came_before(
    config: Settings, effects: Effects, members: Members, topic: Topic
) -> None:
    topic.add_positions(range(1, 101))
    topic.add_raw(2, b"\xc3\x01 of some other schema")
    member = members.start()
    assert await code(member) == 1
    assert f"{topic.name} 2, offset" in member.output()
    assert "is no event" in member.output()
    position = (await saved(config, "billing"))[2][1]
    assert position == last_of(range(1, 101))[2] == effects.of(2)[-1]


async def test_offsets_that_the_topic_does_not_have_end_it(config: Settings, members: Members, topic: Topic) -> None:
    topic.add_positions(range(1, 101))
    async with Offsets(config.offsets_url) as client:
        [claim] = await client.claim("billing", topic.name, [1], "somebody")
        await client.commit("billing", Commit(topic.name, 1, 1000, 100, claim.epoch))
    member = members.start()
    assert await code(member) == 1
    assert f"{topic.name} 1: the committed offset is not in the topic" in member.output()
    assert (await saved(config, "billing"))[1] == (1000, 100)


async def test_a_topic_that_was_made_anew_is_not_read_with_the_old_offsets(
    config: Settings, effects: Effects, members: Members, topic: Topic
) -> None:
    topic.add_positions(range(1, 101))
    other = "0198f4a2-7c1e-7d7b-9b0e-2f5f3c1d2e4f"
    async with Offsets(config.offsets_url) as client:
        await client.claim("billing", topic.name, range(PARTITIONS), "in an earlier life", other)
    member = members.start()
    assert await code(member) == 1
    assert "topic-changed" in member.output()
    assert effects.lines() == []
