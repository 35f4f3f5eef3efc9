"""A consumer in a process of its own, to be killed: each effect is a line of a file, written in one call."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import cast

from eskit.consumer import Consumer, Record, Tuning, serve
from eskit.consumer.config import Protocol

billing = Consumer(
    "billing",
    protocol=cast("Protocol", os.environ["PROTOCOL"]),
    instance_id=os.environ.get("INSTANCE_ID"),
    session_timeout_s=6.0,  # the least that a broker takes by default
    tuning=Tuning(commit_interval_s=float(os.environ.get("COMMIT_S", "0.05"))),
)


@billing.on_record()
async def write(record: Record) -> None:
    line = f"{os.environ['WRITER']} {record.partition} {record.event.position}\n"
    with open(os.environ["EFFECTS"], "ab", buffering=0) as effects:  # noqa: ASYNC230, PTH123 - short, and on purpose
        effects.write(line.encode())
    await asyncio.sleep(0.001)


if __name__ == "__main__":
    sys.exit(serve(billing))
