"""Batches of entities: lines/s of each kind of write, against appends to the event store as lines; and the memory."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from eskit.ids import uuid7
from tests.benchmarks.load import PAYLOAD
from tests.benchmarks.measure import row, say
from tests.services import ServiceProcess, config_for, processes
from tests.stack import local_postgres, migrate

NDJSON = {"Content-Type": "application/x-ndjson"}
DOCUMENT = msgspec.Raw(PAYLOAD.encode())
_encode = msgspec.json.Encoder().encode_lines


def run(rounds: int, lines: int) -> None:
    """So many lines of each kind a round, in one request each."""
    with local_postgres() as postgres:
        migrate(postgres.url)
        config = config_for(postgres.url)
        store = ServiceProcess("eventstore_svc", config, "eventstore_port").start()
        crud = ServiceProcess("crud_svc", config, "crud_port").start()
        with processes(store, crud):
            found, memory = asyncio.run(_rounds(store, crud, rounds, lines))
    rates = {name: statistics.median(times) for name, times in found.items()}
    say(row("lines of one request", "lines/s", "against appends"))
    say("|---|---|---|")
    for name, rate in rates.items():
        say(row(name, f"{rate:.0f}", f"{rate / rates['append']:.2f}"))
    say(f"most memory of the CRUD service: {memory} MB")


async def _rounds(
    store: ServiceProcess, crud: ServiceProcess, rounds: int, lines: int
) -> tuple[dict[str, list[float]], int]:
    await asyncio.gather(store.ready(), crud.ready())
    found: dict[str, list[float]] = {}
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        for number in range(rounds):
            events = [_event(f"e{number}-{n}") for n in range(lines)]
            asked = {"append": events, **_writes(number, lines)}
            for name, of in asked.items():
                url = f"{store.url}/v1/events/batch" if name == "append" else f"{crud.url}/v1/entities:batch"
                found.setdefault(name, []).append(lines / await _send(session, url, of))
            say(f"  round {number + 1} of {rounds}: " + ", ".join(f"{k} {v[-1]:.0f}/s" for k, v in found.items()))
    return found, _most_memory_mb(crud.pid)


def _event(ident: str) -> dict[str, Any]:
    return {"originator": {"id": ident}, "event_type": "Thing.Made", "payload": DOCUMENT, "event_id": uuid7()}


def _writes(number: int, lines: int) -> dict[str, Sequence[dict[str, Any]]]:
    def line(op: str, n: int, **more: Any) -> dict[str, Any]:
        return {"op": op, "type": "User", "id": f"u{number}-{n}", **more}

    created = [line("create", n, document=DOCUMENT, idempotency_key=f"{number}-{n}") for n in range(lines)]
    return {
        "create": created,
        "the same again": created,
        "merge patch": [line("merge_patch", n, if_match=1, patch={"count": n}) for n in range(lines)],
        "merge patch of one entity": [line("merge_patch", 0, if_match="*", patch={"count": -n}) for n in range(lines)],
    }


async def _send(session: aiohttp.ClientSession, url: str, lines: Sequence[dict[str, Any]]) -> float:
    """Seconds that it took; all must be done."""
    body = _encode(lines)
    started = time.perf_counter()
    async with session.post(url, data=body, headers=NDJSON) as response:
        count = 0
        async for line in response.content:
            assert line.startswith((b'{"status":200', b'{"status":201')), line
            count += 1
    assert count == len(lines)
    return time.perf_counter() - started


def _most_memory_mb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) // 1024
