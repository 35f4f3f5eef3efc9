"""Twice the load that the machine can take: what is accepted must not wait, what is refused must be refused at once."""

from __future__ import annotations

import asyncio
import json
import sys

import uvloop

from tests.benchmarks.load import append_one
from tests.benchmarks.measure import child, load, row, say, service
from tests.services import config_for
from tests.stack import local_postgres, migrate

SECONDS = 6.0
CONNECTIONS = 1500
COLUMNS = ("accepted", "refused", "p50", "p99", "refused_p99")


def run(rounds: int, requests: int) -> None:
    """Closed loop to find the rate, then open loops at once and at twice that rate."""
    with local_postgres() as postgres:
        migrate(postgres.url)
        config = config_for(postgres.url)
        with service("eventstore_svc", config, "eventstore_port") as port:
            load(port, "append", 2000)
            rate = load(port, "append", requests)["rate"]
            say(f"  the machine takes {rate:.0f}/s from 64 clients")
            say(row("offered", "accepted/s", "refused/s", "p50 ms accepted", "p99 ms accepted", "p99 ms refused"))
            say("|---|---|---|---|---|---|")
            for factor in (0.5, 1.0, 2.0):
                arguments = ["tests.benchmarks.overload", str(port), str(rate * factor)]
                found = [json.loads(child(*arguments)) for _ in range(rounds)]
                middle = sorted(found, key=lambda f: float(f["p99"]))[len(found) // 2]
                say(
                    row(
                        f"{factor:g} x",
                        *(f"{middle[k]:.1f}" for k in ("accepted", "refused", "p50", "p99", "refused_p99")),
                    )
                )


async def offer(port: int, rate: float) -> dict[str, float]:
    """Requests at a rate, whatever becomes of them, each on a connection that is free; who finds none waits."""
    loop = asyncio.get_running_loop()
    free = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS)]
    times: dict[bool, list[float]] = {True: [], False: []}

    async def one(due: float) -> None:
        if not free:
            times[False].append(0.0)  # the generator's own limit counts as refused
            return
        reader, writer = connection = free.pop()
        writer.write(append_one())
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        times[b" 201 " in head[:16]].append(loop.time() - due)
        free.append(connection)

    started = loop.time()
    tasks = set[asyncio.Task[None]]()
    sent = 0
    while (now := loop.time() - started) < SECONDS:
        while sent < now * rate:
            task = asyncio.create_task(one(started + sent / rate))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            sent += 1
        await asyncio.sleep(0.001)
    await asyncio.gather(*tasks)
    accepted, refused = (sorted(times[key]) or [0.0] for key in (True, False))
    return {"accepted": len(times[True]) / SECONDS, "refused": len(times[False]) / SECONDS,
            "p50": 1000 * accepted[len(accepted) // 2], "p99": 1000 * accepted[int(0.99 * (len(accepted) - 1))],
            "refused_p99": 1000 * refused[int(0.99 * (len(refused) - 1))]}  # fmt: skip


if __name__ == "__main__":
    sys.stdout.write(json.dumps(uvloop.run(offer(int(sys.argv[1]), float(sys.argv[2])))) + "\n")
