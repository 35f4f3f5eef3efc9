"""Entities: writes against appends to the event store, reads against a handler that answers one row, the fold."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Sequence

import uvloop

from crud_svc.documents.state import CREATED, UPDATED, Fold
from eskit.settings import Settings
from eventstore_svc.store import open_event_store
from tests.benchmarks.load import PAYLOAD
from tests.benchmarks.measure import load, medians, peer, row, say, service
from tests.integration.appending import new_event
from tests.services import config_for
from tests.stack import local_postgres, migrate

UPDATE = b'{"merge_patch":{"count":%d}}'
LARGE = json.dumps({"address": {"city": "Bern"}} | {f"field{n}": f"a value of some length, {n:04}" for n in range(48)})
OLD = 10_000
# What stands for what: ours, and how the table calls it, each beside what it is compared with.
WRITES = (("create", "create"), ("patch", "merge patch of 2 KB"))
READS = (("get", "get at 10 versions"), ("get_old", f"get at {OLD:,} versions"))


def run(rounds: int, requests: int) -> None:
    """Writes, reads, folds."""
    with local_postgres() as postgres:
        migrate(postgres.url)
        config = config_for(postgres.url)
        uvloop.run(_fill(config))
        with (
            peer("row", postgres.url) as bare,
            service("eventstore_svc", config, "eventstore_port") as store,
            service("crud_svc", config, "crud_port") as crud,
        ):
            load(store, "append", 2000)
            for kind in ("create", "patch", "get", "get_old"):
                load(crud, kind, 2000)
            found = _rounds(rounds, requests, {"append": store, "row": bare}, crud)
    say(row("64 clients", "requests/s", "p50 ms", "p99 ms", "against it"))
    say("|---|---|---|---|---|")
    _table(found, "append", "append to the event store", WRITES)
    _table(found, "row", "one row through a handler", READS)
    say(f"get at {OLD:,} versions takes {found['get']['rate'] / found['get_old']['rate']:.2f} of the time at 10")
    _fold(rounds)


def _rounds(rounds: int, requests: int, peers: dict[str, int], crud: int) -> dict[str, dict[str, float]]:
    kinds = [*peers, *(kind for kind, _ in WRITES + READS)]
    found: dict[str, list[dict[str, float]]] = {kind: [] for kind in kinds}
    for number in range(rounds):
        for kind in kinds:
            found[kind].append(load(peers.get(kind, crud), "get" if kind == "row" else kind, requests))
        say(f"  round {number + 1} of {rounds}: " + ", ".join(f"{k} {found[k][-1]['rate']:.0f}/s" for k in kinds))
    return {kind: medians(of) for kind, of in found.items()}


def _table(found: dict[str, dict[str, float]], with_what: str, name: str, kinds: Sequence[tuple[str, str]]) -> None:
    for kind, called in ((with_what, name), *kinds):
        one = found[kind]
        ratio = one["rate"] / found[with_what]["rate"]
        say(row(called, f"{one['rate']:.0f}", one["p50_ms"], one["p99_ms"], f"{ratio:.2f}"))


def _fold(rounds: int) -> None:
    """In this process: ten thousand updates without a snapshot, against parsing the same bytes."""
    payloads = [UPDATE % number for number in range(OLD)]

    def fold() -> None:
        folded = Fold()
        folded.apply(1, 1, 0, CREATED, LARGE.encode())
        for version, payload in enumerate(payloads, 2):
            folded.apply(version, version, 0, UPDATED, payload)
        assert folded.state().version == OLD + 1

    def parse() -> None:
        for payload in payloads:
            json.loads(payload)

    ours: list[float] = []
    bare: list[float] = []
    for _ in range(max(rounds, 5)):
        for what, times in ((fold, ours), (parse, bare)):
            started = time.perf_counter()
            what()
            times.append(time.perf_counter() - started)
    took, least = statistics.median(ours), statistics.median(bare)
    say(f"fold of {OLD:,} updates {1000 * took:.1f} ms, json.loads of them {1000 * least:.1f} ms: {took / least:.2f}")


async def _fill(config: Settings) -> None:
    async with open_event_store(config, "benchmark") as store:

        async def one(ident: str, kind: str, document: str, updates: int) -> None:
            await store.append([new_event(ident, payload=document.encode(), kind=f"{kind}.Created")])
            for first in range(0, updates, 500):
                numbers = range(first, min(first + 500, updates))
                await store.append([new_event(ident, payload=UPDATE % n, kind=f"{kind}.Updated") for n in numbers])

        await asyncio.gather(
            *(one(f"user-{number}", "User", PAYLOAD, 9) for number in range(100)),
            *(one(f"large-{number}", "Large", LARGE, 0) for number in range(1000)),
            one("old", "User", PAYLOAD, OLD - 1),
        )
