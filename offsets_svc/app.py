"""The offsets service over REST: the routes and what they need."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
from aiohttp import web

from eskit import names
from eskit.errors import EskitError
from eskit.offsets import Claims, Commit, Committed
from eskit.settings import Settings
from eskit.web import bodies, queries
from eskit.web.answers import Answer
from eskit.web.app import create_app
from eskit.web.problems import problem
from offsets_svc import requests
from offsets_svc.store import OffsetStore, Outcome, open_offset_store

STORE: web.AppKey[OffsetStore] = web.AppKey("offset_store", OffsetStore)

MAX_PAGE = 1000


async def claim(request: web.Request) -> Answer:
    """Take partitions over; each answer has the epoch that commits must carry from now on."""
    queries.allow(request)
    consumer = names.consumer(request.match_info["consumer"])
    wanted = requests.parse_claim(await bodies.read(request, "application/json"))
    return bodies.json_response(Claims(await request.app[STORE].claim(consumer, wanted)))


async def commit(request: web.Request) -> Answer:
    """Move one partition's offset."""
    queries.allow(request)
    consumer = names.consumer(request.match_info["consumer"])
    where = requests.Partition(
        requests.topic(request.match_info["topic"]), requests.partition(request.match_info["partition"])
    )
    wanted = requests.parse_offset(await bodies.read(request, "application/json"), where)
    [outcome] = await request.app[STORE].commit(consumer, [wanted])
    if isinstance(outcome, EskitError):
        raise outcome
    return bodies.json_response(outcome)


async def commit_several(request: web.Request) -> Answer:
    """Move offsets of several partitions in one transaction; one that is refused does not stop the others."""
    queries.allow(request)
    consumer = names.consumer(request.match_info["consumer"])
    commits = requests.parse_commits(await bodies.read(request, "application/json"))
    outcomes = await request.app[STORE].commit(consumer, commits)
    return bodies.json_response({"results": [_result(c, o) for c, o in zip(commits, outcomes, strict=True)]})


def _result(wanted: Commit, outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, Committed):
        return {"status": 200, **msgspec.structs.asdict(outcome)}
    return {"topic": wanted.topic, "partition": wanted.partition, **problem(outcome)}


async def list_consumers(request: web.Request) -> Answer:
    """Consumers in the order of their names, with their partitions."""
    queries.allow(request, "limit", "after")
    limit = queries.integer(request, "limit", 100, least=1, most=MAX_PAGE)
    after = request.query.get("after", "")
    return bodies.json_response(
        await request.app[STORE].consumers(names.consumer(after, "after") if after else "", limit)
    )


async def get_consumer(request: web.Request) -> Answer:
    """One consumer with its partitions."""
    queries.allow(request)
    return bodies.json_response(await request.app[STORE].consumer(names.consumer(request.match_info["consumer"])))


async def _store(app: web.Application) -> AsyncIterator[None]:
    async with open_offset_store(app[bodies.SETTINGS], "eskit offsets") as store:
        app[STORE] = store
        yield


def offsets_app(settings: Settings) -> web.Application:
    """The offsets service."""
    return create_app(
        "offsets",
        settings,
        routes=[
            web.post("/v1/consumers/{consumer}/claims", claim),
            web.put("/v1/consumers/{consumer}/offsets", commit_several),
            web.put("/v1/consumers/{consumer}/offsets/{topic}/{partition}", commit),
            web.get("/v1/consumers", list_consumers),
            web.get("/v1/consumers/{consumer}", get_consumer),
        ],
        resources=[_store],
        checks={"database": lambda app: app[STORE].check()},
    )
