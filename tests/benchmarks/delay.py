"""How long an event is on its way to its handler; and how soon somebody takes over from a member that was killed."""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import subprocess
import sys
import time

import uvloop

from eskit.client.event_types import NewEvent
from eskit.client.eventstore import EventStore
from eskit.client.offsets import Offsets
from eskit.consumer import Consumer, Event
from eskit.errors import NotFound
from eskit.settings import Settings
from tests.benchmarks.measure import row, say, service
from tests.services import ROOT, environment, own_log, until
from tests.stack import local_kafka, local_postgres

EVERY_S = 0.01
SESSION_S = 6.0


def run(rounds: int, events: int) -> None:
    """Appends at 100 a second; then a member is killed."""
    with local_postgres() as postgres, local_kafka(say) as broker:
        config = own_log(postgres.url, broker.bootstrap)
        with service("offsets_svc", config, "offsets_port") as port:
            config = _with(config, offsets_url=f"http://127.0.0.1:{port}")
            with (
                service("eventstore_svc", config, "eventstore_port") as store,
                service("eventstore_svc.relay", config, "relay_port"),
            ):
                found = uvloop.run(_delays(config, f"http://127.0.0.1:{store}", events))
                took = [asyncio.run(_take_over(config)) for _ in range(rounds)]
    found.sort()
    say(row(f"{len(found)} events at 100/s", "p50 ms", "p99 ms", "goal: p99"))
    say("|---|---|---|---|")
    p50, p99 = (found[round((len(found) - 1) * part)] * 1000 for part in (0.5, 0.99))
    say(row("append answered → handler called", f"{p50:.1f}", f"{p99:.1f}", "20"))
    say("\n" + row("a member is killed", "seconds until another has its partitions", "goal"))
    say("|---|---|---|")
    say(row(f"session time-out {SESSION_S:g} s", f"{statistics.median(took):.1f}", f"{SESSION_S + 1:g}"))


def _with(config: Settings, **changes: object) -> Settings:
    fields = {name: getattr(config, name) for name in Settings.__struct_fields__}
    return Settings(**{**fields, **changes})


async def _delays(config: Settings, url: str, events: int) -> list[float]:
    answered: dict[int, float] = {}
    handled: dict[int, float] = {}
    consumer = Consumer("delays")

    @consumer.on()
    async def handle(event: Event) -> None:
        handled[event.position] = time.perf_counter()

    task = asyncio.create_task(consumer.run(config))
    async with EventStore(url) as client:
        # The first ones make the topic and warm everything up.
        for number in range(50):
            await client.append(_event(number))
        await until(lambda: len(handled) == 50, 60)
        handled.clear()
        due = time.perf_counter()
        for number in range(events):
            due += EVERY_S
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            [appended] = await client.append(_event(number))
            answered[appended.position] = time.perf_counter()
        await until(lambda: len(handled) >= events, 60)
    consumer.stop()
    await task
    # The handler may be called before the answer has come back.
    return [max(0.0, handled[position] - moment) for position, moment in answered.items()]


def _event(number: int) -> NewEvent:
    return NewEvent(id=f"thing-{number % 100}", event_type="Thing.Changed", payload={"n": number})


async def _take_over(config: Settings) -> float:
    """Kill one of two members; the seconds until all partitions are the other's."""
    name = f"takeover-{time.monotonic_ns()}"
    environ = {
        **os.environ,
        **environment(config),
        "NAME": name,
        "ESKIT_CONSUMER_PORT": "0",
        "ESKIT_LOG_LEVEL": "error",
    }
    members = [_member(environ) for _ in range(2)]
    try:
        async with Offsets(config.offsets_url) as client:
            await until(lambda: _owners(client, name, 2), 60)
            members[0].send_signal(signal.SIGKILL)
            members[0].wait()
            began = time.perf_counter()
            gone = f" {members[0].pid} "
            await until(lambda: _without(client, name, gone), 60)
            return time.perf_counter() - began
    finally:
        for member in members:
            member.kill()
            member.wait()


def _member(environ: dict[str, str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.benchmarks.member"]
    return subprocess.Popen(command, cwd=ROOT, env=environ)


async def _owners(client: Offsets, name: str, count: int) -> bool:
    try:
        return len({p.member for p in (await client.consumer(name)).partitions if p.member}) == count
    except NotFound:
        return False


async def _without(client: Offsets, name: str, gone: str) -> bool:
    return all(gone not in f" {p.member} " for p in (await client.consumer(name)).partitions)
