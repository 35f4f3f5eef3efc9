"""P4: every event reaches the topic, in order, once for a consumer that drops what it has seen."""

from __future__ import annotations

import asyncio
import random
import signal
from functools import partial

import pytest

from eskit.settings import Settings
from eventstore_svc.store import Recorded, open_event_store
from tests.integration.appending import keep_appending, load, new_event
from tests.integration.relaying import has_begun, is_active, publish, published, relay, topic_is_log, until_active
from tests.services import processes, until

pytestmark = pytest.mark.real_kafka


@pytest.mark.slow
async def test_relay_killed_50_times_under_load(log_config: Settings) -> None:
    """P4: SIGKILL at random moments while 4 writers append; most of them while it publishes."""
    dice = random.Random(4)
    stopped = False
    acknowledged: list[Recorded] = []
    async with open_event_store(log_config, "test") as store:
        writers = [asyncio.create_task(keep_appending(store, lambda: stopped, acknowledged, 0.005)) for _ in range(4)]
        victim = relay(log_config, ESKIT_RELAY_LEASE_S="0.4")
        with processes(victim):
            for attempt in range(50):
                begun = victim.output().count('"event": "going on"')
                victim.start()
                if attempt % 5:
                    await until(partial(has_begun, victim, begun + 1))
                await asyncio.sleep(dice.uniform(0, 0.3))
                victim.kill()
            victim.start()
            stopped = True
            await asyncio.gather(*writers)
            read = await topic_is_log(log_config, store)
    assert {event.position for event in read.events} == {recorded.position for recorded in acknowledged}


async def test_a_stopped_relay_wakes_up_after_another_took_over(log_config: Settings) -> None:
    """P4: two relays; the active one is stopped for longer than its lease and then goes on where it was."""
    stopped = False
    acknowledged: list[Recorded] = []
    async with open_event_store(log_config, "test") as store:
        writers = [asyncio.create_task(keep_appending(store, lambda: stopped, acknowledged)) for _ in range(4)]
        first, second = relay(log_config), relay(log_config)
        with processes(first, second):
            await first.start().ready()
            await second.start().ready()
            for active in (first, second, first):
                await until_active(active, store)
                active.signal(signal.SIGSTOP)
                await until(partial(is_active, second if active is first else first), 20)
                active.signal(signal.SIGCONT)
            stopped = True
            await asyncio.gather(*writers)
            await topic_is_log(log_config, store)


async def test_two_relays_one_works_one_waits(log_config: Settings) -> None:
    """A standby is ready, publishes nothing, and takes over at once when the active one stops in order."""
    async with open_event_store(log_config, "test") as store:
        first, second = relay(log_config), relay(log_config)
        with processes(first, second):
            await first.start().ready()
            await second.start().ready()
            await load(store, 1000)
            await published(store)
            assert '"event": "active"' not in second.output()
            assert first.stop() == 0
            await load(store, 1000)
            await topic_is_log(log_config, store)
            assert '"event": "active"' in second.output()


async def test_duplicates_only_when_in_doubt(log_config: Settings) -> None:
    """A relay that stops in order and starts again adds no record at all."""
    async with open_event_store(log_config, "test") as store:
        for _ in range(3):
            await publish(log_config, store, 500)
        assert (await topic_is_log(log_config, store)).dropped == 0


async def test_record_bytes_are_a_function_of_the_event(log_config: Settings) -> None:
    """D3 and P4: the payload arrives to the byte, with its numbers, spaces and escapes."""
    payloads = [b'{ "a" : 1.10 }', b'{"n":12345678901234567890,"e":1e0,"z":-0.0}', b'{"u":"\\u00e9\\ud83d\\ude00"}']
    async with open_event_store(log_config, "test") as store:
        process = relay(log_config)
        with processes(process):
            await process.start().ready()
            for number, payload in enumerate(payloads):
                await store.append([new_event(f"id {number}/ü", payload=payload)])
            read = await topic_is_log(log_config, store)
    assert [bytes(event.payload) for event in read.events] == payloads
    assert [event.originator.id for event in read.events] == ["id 0/ü", "id 1/ü", "id 2/ü"]
