"""GET of an entity with 10 versions, against a handler that answers one row."""

from __future__ import annotations

import asyncio

import uvloop

from eskit.settings import Settings
from eventstore_svc.store import open_event_store
from tests.benchmarks.load import PAYLOAD
from tests.benchmarks.measure import load, medians, peer, row, say, service
from tests.integration.appending import new_event
from tests.services import config_for
from tests.stack import local_postgres, migrate

UPDATE = b'{"merge_patch":{"count":%d}}'


def run(rounds: int, requests: int) -> None:
    """A hundred entities, read at random."""
    with local_postgres() as postgres:
        migrate(postgres.url)
        config = config_for(postgres.url)
        uvloop.run(_fill(config))
        ours: list[dict[str, float]] = []
        bare: list[dict[str, float]] = []
        with peer("row", postgres.url) as peer_port, service("crud_svc", config, "crud_port") as port:
            for warm in (peer_port, port):
                load(warm, "get", 1000)
            for number in range(rounds):
                bare.append(load(peer_port, "get", requests))
                ours.append(load(port, "get", requests))
                say(
                    f"  round {number + 1} of {rounds}: ours {ours[-1]['rate']:.0f}/s, one row {bare[-1]['rate']:.0f}/s"
                )
    mine, peers = medians(ours), medians(bare)
    say(row("GET entity, 64 clients", "requests/s", "p50 ms", "p99 ms", "ours / it"))
    say("|---|---|---|---|---|")
    say(
        row(
            "one row through a handler",
            f"{peers['rate']:.0f}",
            peers["p50_ms"],
            peers["p99_ms"],
            f"{mine['rate'] / peers['rate']:.2f}",
        )
    )
    say(row("ours, 10 versions folded", f"{mine['rate']:.0f}", mine["p50_ms"], mine["p99_ms"], "1.00"))


async def _fill(config: Settings) -> None:
    async with open_event_store(config, "benchmark") as store:

        async def one(ident: str) -> None:
            await store.append([new_event(ident, payload=PAYLOAD.encode(), kind="User.Created")])
            for number in range(9):
                await store.append([new_event(ident, payload=UPDATE % number, kind="User.Updated")])

        await asyncio.gather(*(one(f"user-{number}") for number in range(100)))
