"""Three consumers in one process, to be killed: one event at a time, many at a time, and exactly once into Postgres.

Outside of transactions each effect is a line of a file, written in one call: who wrote it, by which claim, the
partition, the position. Poisoned events fail as long as the flag, a file, is there.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

from psycopg import AsyncConnection

from eskit import logs, settings
from eskit.consumer import Consumer, Event, Record, Target, Tuning
from tests.faults.shapes import LANES, SINGLE, UP, VIEW, poisoned

WRITER = os.environ["WRITER"]
FOLDER = Path(os.environ["FOLDER"])
FLAG = FOLDER / "flag"
TUNING = Tuning(commit_interval_s=0.2, retry_least_s=0.01, retry_most_s=0.1, batch_events=50)
SESSION_S = float(os.environ["SESSION_S"])

single = Consumer(SINGLE, session_timeout_s=SESSION_S, tuning=TUNING)
lanes = Consumer(LANES, session_timeout_s=SESSION_S, tuning=TUNING, concurrency=8)
view = Consumer(VIEW, session_timeout_s=SESSION_S, tuning=TUNING, transaction=Target(VIEW))


def fail_if_poisoned(event: Event) -> None:
    """Raise for an event that is, while the flag is there."""
    if poisoned(event.position) and FLAG.exists():
        raise ValueError(f"event {event.position} is poisoned")


def write_into_file(consumer: Consumer, thousandths: int) -> None:
    """Give a consumer a handler whose effect is a line; it takes up to so many milliseconds."""
    claims: Counter[int] = Counter()

    @consumer.on_assigned
    async def count(partitions: set[int]) -> None:
        claims.update(partitions)

    @consumer.on_record()
    async def write(record: Record) -> None:
        number, position = record.partition, record.event.position
        await asyncio.sleep(position % (thousandths + 1) / 1000)
        fail_if_poisoned(record.event)
        line = f"{WRITER}.{claims[number]} {number} {position}\n"
        with open(FOLDER / consumer.name, "ab", buffering=0) as effects:  # noqa: ASYNC230, PTH123 - short, on purpose
            effects.write(line.encode())
        await asyncio.sleep(0.0005)


@view.on_schema
async def tables(connection: AsyncConnection[Any]) -> None:
    """No key: an effect too many must be seen."""
    await connection.execute("CREATE TABLE IF NOT EXISTS effects (nr bigserial, position bigint)")


@view.on()
async def insert(event: Event, connection: AsyncConnection[Any]) -> None:
    """The effect, and only then the failure: what a failed one has written must not stay."""
    await connection.execute("INSERT INTO effects (position) VALUES (%s)", (event.position,))
    fail_if_poisoned(event)


async def main() -> None:
    """Until SIGTERM; an error of one consumer ends all."""
    config = settings.load()
    logs.configure(config, f"member {WRITER}")
    consumers = (single, lanes, view)

    def stop() -> None:
        for consumer in consumers:
            consumer.stop()

    write_into_file(single, 1)
    write_into_file(lanes, 4)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
    logs.get(__name__).info(UP)
    async with asyncio.TaskGroup() as group:
        for consumer in consumers:
            group.create_task(consumer.run(config))


if __name__ == "__main__":
    asyncio.run(main())
