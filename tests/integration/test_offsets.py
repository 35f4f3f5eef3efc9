"""P5: offsets never go back, and only the last one who claimed a partition moves its offset."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import psycopg
import pytest

from eskit.client.offsets import Offsets
from eskit.errors import EskitError, Fenced, InvalidRequest, NotFound, OffsetRegression
from eskit.offsets import Commit, Committed
from eskit.settings import Settings
from offsets_svc.app import offsets_app
from tests.services import running

TOPIC = "eskit.application-log"


@pytest.fixture
async def url(config: Settings) -> AsyncIterator[str]:
    async with running(offsets_app(config), config, "offsets_port") as url:
        yield url


@pytest.fixture
async def offsets(url: str) -> AsyncIterator[Offsets]:
    async with Offsets(url) as client:
        yield client


async def call(url: str, method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
    async with aiohttp.ClientSession() as session, session.request(method, url + path, json=body) as response:
        return response.status, await response.json()


async def test_a_zombie_can_move_no_offset(offsets: Offsets) -> None:
    [zombie] = await offsets.claim("billing", TOPIC, [0], "zombie")
    [owner] = await offsets.claim("billing", TOPIC, [0], "owner")
    with pytest.raises(Fenced) as caught:
        await offsets.commit("billing", Commit(TOPIC, 0, offset=7, epoch=zombie.epoch))
    assert caught.value.extra["epoch"] == owner.epoch
    [state] = (await offsets.consumer("billing")).partitions
    assert (state.offset, state.member, state.epoch) == (None, "owner", owner.epoch)


async def test_an_offset_never_goes_back(offsets: Offsets) -> None:
    await offsets.claim("billing", TOPIC, [0], "host")
    await offsets.commit("billing", Commit(TOPIC, 0, offset=7, position=40, epoch=1))
    with pytest.raises(OffsetRegression) as caught:
        await offsets.commit("billing", Commit(TOPIC, 0, offset=6, position=41, epoch=1))
    assert (caught.value.extra["stored"], caught.value.field) == (7, "offset")
    with pytest.raises(OffsetRegression) as caught:
        await offsets.commit("billing", Commit(TOPIC, 0, offset=8, position=39, epoch=1))
    assert (caught.value.extra["stored"], caught.value.field) == (40, "position")
    [state] = (await offsets.consumer("billing")).partitions
    assert (state.offset, state.position) == (7, 40)


async def test_the_same_commit_again_is_answered_the_same(offsets: Offsets) -> None:
    await offsets.claim("billing", TOPIC, [0], "host")
    commit = Commit(TOPIC, 0, offset=7, position=40, epoch=1)
    assert await offsets.commit("billing", commit) == await offsets.commit("billing", commit)
    without_position = Commit(TOPIC, 0, offset=9, epoch=1)
    assert await offsets.commit("billing", without_position) == Committed(TOPIC, 0, offset=9, position=40, epoch=1)


async def test_a_bulk_commit_answers_each_and_a_fenced_one_stops_no_other(offsets: Offsets, url: str) -> None:
    epochs = [claim.epoch for claim in await offsets.claim("billing", TOPIC, [0, 1, 2], "old")]
    await offsets.commit("billing", Commit(TOPIC, 2, offset=50, epoch=epochs[2]))
    [newer] = await offsets.claim("billing", TOPIC, [1], "new")
    commits = [Commit(TOPIC, p, offset=10, position=20 + p, epoch=epochs[p]) for p in (2, 1, 0)]
    back, fenced, taken = await offsets.commit_all("billing", commits)
    assert isinstance(back, OffsetRegression)
    assert back.extra["stored"] == 50
    assert isinstance(fenced, Fenced)
    assert fenced.extra["epoch"] == newer.epoch
    assert taken == Committed(TOPIC, 0, offset=10, position=20, epoch=epochs[0])

    status, body = await call(
        url,
        "PUT",
        "/v1/consumers/billing/offsets",
        {"offsets": [{"topic": TOPIC, "partition": p, "offset": 11, "epoch": epochs[p]} for p in (0, 1)]},
    )
    assert status == 200
    good, bad = body["results"]
    assert good == {"status": 200, "topic": TOPIC, "partition": 0, "offset": 11, "position": 20, "epoch": epochs[0],
                    "topic_id": None}  # fmt: skip
    assert (bad["status"], bad["code"], bad["epoch"], bad["partition"]) == (409, "fenced", newer.epoch, 1)


async def test_problems_are_problem_documents(url: str) -> None:
    await call(url, "POST", "/v1/consumers/c/claims", {"topic": TOPIC, "partitions": [0], "member": "m"})
    path = f"/v1/consumers/c/offsets/{TOPIC}/0"
    status, body = await call(url, "PUT", path, {"offset": 1, "epoch": 5})
    assert (status, body["code"], body["epoch"]) == (409, "fenced", 1)
    assert body["type"].endswith("/fenced")


async def test_consumers_are_listed_with_pages(offsets: Offsets) -> None:
    """A bug of old: listing consumers crashed the process."""
    assert (await offsets.consumers()).consumers == []
    for name in ("b", "a", "c"):
        await offsets.claim(name, TOPIC, [1, 0], f"host of {name}")
    first = await offsets.consumers(limit=2)
    assert ([c.name for c in first.consumers], first.next) == (["a", "b"], "b")
    assert [p.partition for p in first.consumers[0].partitions] == [0, 1]
    second = await offsets.consumers(limit=2, after="b")
    assert ([c.name for c in second.consumers], second.next) == (["c"], None)


async def test_an_unknown_consumer_is_not_found(offsets: Offsets) -> None:
    with pytest.raises(NotFound):
        await offsets.consumer("nobody")


async def test_last_seen_moves_with_claims_and_commits(offsets: Offsets, config: Settings) -> None:
    await offsets.claim("billing", TOPIC, [0], "host")
    with psycopg.connect(config.database_url, autocommit=True) as connection:
        connection.execute("UPDATE offsets.consumers SET last_seen = '2020-01-01'")
    await offsets.commit("billing", Commit(TOPIC, 0, offset=1, epoch=1))
    assert (await offsets.consumer("billing")).last_seen > "2021"


async def test_a_commit_of_nothing_is_a_sign_of_life(offsets: Offsets, config: Settings) -> None:
    await offsets.claim("billing", TOPIC, [0], "host")
    with psycopg.connect(config.database_url, autocommit=True) as connection:
        connection.execute("UPDATE offsets.consumers SET last_seen = '2020-01-01'")
    assert await offsets.commit_all("billing", []) == []
    state = await offsets.consumer("billing")
    assert (state.last_seen > "2021", state.partitions[0].offset) == (True, None)
    assert await offsets.commit_all("nobody", []) == []
    with pytest.raises(NotFound):
        await offsets.consumer("nobody")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("POST c/claims", {"topic": "a b", "partitions": [0], "member": "m"}, "topic"),
        ("POST c/claims", {"topic": "t" * 250, "partitions": [0], "member": "m"}, "topic"),
        ("POST c/claims", {"topic": "t", "partitions": [], "member": "m"}, "partitions"),
        ("POST c/claims", {"topic": "t", "partitions": list(range(1001)), "member": "m"}, "partitions"),
        ("POST c/claims", {"topic": "t", "partitions": [3, 3], "member": "m"}, "partitions"),
        ("POST c/claims", {"topic": "t", "partitions": [0, -1], "member": "m"}, "partitions[1]"),
        ("POST c/claims", {"topic": "t", "partitions": [0, 10**30], "member": "m"}, "partitions[1]"),
        ("POST c/claims", {"topic": "t", "partitions": ["0"], "member": "m"}, "partitions[0]"),
        ("POST c/claims", {"topic": "t", "partitions": [0], "member": ""}, "member"),
        ("POST c/claims", {"topic": "t", "partitions": [0], "member": "a\nb"}, "member"),
        ("POST c/claims", {"topic": "t", "partitions": [0], "member": "a\x00"}, "member"),
        ("POST c/claims", {"topic": "t", "partitions": [0]}, "member"),
        ("POST c/claims", {"topic": "t", "partitions": [0], "member": "m", "more": 1}, "more"),
        ("POST .c/claims", {"topic": "t", "partitions": [0], "member": "m"}, "consumer"),
        ("PUT c/offsets/t/0", {"offset": "seven"}, "offset"),
        ("PUT c/offsets/t/0", {"offset": -1}, "offset"),
        ("PUT c/offsets/t/0", {"offset": 2**63}, "offset"),
        ("PUT c/offsets/t/0", {"offset": 1, "position": -1}, "position"),
        ("PUT c/offsets/t/0", {"offset": 1, "epoch": 2**63}, "epoch"),
        ("PUT c/offsets/t/0", {}, "offset"),
        ("PUT c/offsets/t/x", {"offset": 1}, "partition"),
        ("PUT c/offsets/t/100001", {"offset": 1}, "partition"),
        ("PUT c/offsets/a%00b/0", {"offset": 1}, "topic"),
        ("PUT c/offsets", {"offsets": [{"topic": "t", "partition": 0, "offset": 1}] * 1001}, "offsets"),
        ("PUT c/offsets", {"offsets": [{"topic": "t", "partition": 0, "offset": 1}] * 2}, "offsets[1].partition"),
        ("PUT c/offsets", {"offsets": [{"topic": "t", "partition": 0, "offset": -1}]}, "offsets[0].offset"),
        ("PUT c/offsets", {"offsets": [{"topic": "t", "partition": 0}]}, "offsets[0].offset"),
    ],
)
async def test_bad_input_names_its_field_and_stores_nothing(url: str, path: str, body: Any, field: str) -> None:
    """A bug of old: one non-numeric offset poisoned the consumer."""
    method, _, rest = path.partition(" ")
    status, problem = await call(url, method, f"/v1/consumers/{rest}", body)
    assert (status, problem.get("field")) == (422, field)
    assert (await call(url, "GET", "/v1/consumers"))[1]["consumers"] == []


async def test_unknown_query_parameters_and_limits_are_refused(offsets: Offsets, url: str) -> None:
    assert (await call(url, "GET", "/v1/consumers?size=3"))[0] == 422
    assert (await call(url, "GET", "/v1/consumers?after=%00"))[0] == 422
    with pytest.raises(InvalidRequest):
        await offsets.consumers(limit=0)


async def test_claims_and_commits_at_once_never_deadlock_and_the_last_claim_wins(offsets: Offsets) -> None:
    """Many members claim overlapping partitions in any order and commit: no error but Fenced, and offsets only rise."""
    highest: dict[int, int] = {}

    async def member(number: int) -> None:
        dice = random.Random(number)
        for _ in range(15):
            partitions = dice.sample(range(8), 5)
            claims = await offsets.claim("billing", TOPIC, partitions, f"m{number}")
            at = [Commit(TOPIC, c.partition, offset=(c.offset or 0) + 1, epoch=c.epoch) for c in claims]
            dice.shuffle(at)
            for commit, outcome in zip(at, await offsets.commit_all("billing", at), strict=True):
                assert isinstance(outcome, Committed | Fenced)
                if isinstance(outcome, Committed):
                    highest[commit.partition] = max(highest.get(commit.partition, 0), commit.offset)

    async with asyncio.timeout(60):
        await asyncio.gather(*(member(number) for number in range(12)))
    stored = {p.partition: p.offset for p in (await offsets.consumer("billing")).partitions if p.offset}
    assert stored == highest


async def test_one_epoch_goes_to_one_claim_only(offsets: Offsets) -> None:
    claims = await asyncio.gather(*(offsets.claim("billing", TOPIC, [0], f"m{n}") for n in range(30)))
    epochs = sorted(c.epoch for [c] in claims)
    assert len(set(epochs)) == 30
    outcomes = await asyncio.gather(
        *(offsets.commit("billing", Commit(TOPIC, 0, offset=c.epoch, epoch=c.epoch)) for [c] in claims),
        return_exceptions=True,
    )
    assert [o.offset for o in outcomes if isinstance(o, Committed)] == epochs[-1:]
    assert all(isinstance(o, Fenced) for o in outcomes if isinstance(o, EskitError))


async def test_readiness_tests_the_database(config: Settings, url: str) -> None:
    assert (await call(url, "GET", "/readyz"))[0] == 200
    with psycopg.connect(config.database_url, autocommit=True) as connection:
        connection.execute("INSERT INTO offsets.eskit_migrations (version, name, checksum) VALUES (99, 'x', 'x')")
    status, body = await call(url, "GET", "/readyz")
    assert status == 503
    assert "99" in body["checks"]["database"]
