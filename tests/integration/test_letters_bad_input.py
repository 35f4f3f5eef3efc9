"""Dead letters: what is wrong is told by its field and stores nothing; without its database the service says 503."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from eskit.errors import Unavailable
from eskit.letters import MAX_LETTERS, DiscardLetters, FailedAgain, RetryLetters
from eskit.postgres.migrations import Schema, migrate
from eskit.settings import Settings
from infra.local.postgres import PostgresServer
from tests.integration.lettering import CAUSE, CONSUMER, TOPIC, Desk, brief, letter, service
from tests.services import config_for

OWNER = {"topic": "t", "partition": 0, "epoch": 1}
LETTER = {"offset": 1, "key": "k", "failed": True}
ASIDE = {"owner": OWNER, "letters": [LETTER]}
FAILED = {"owner": OWNER, "offset": 1, "key": "k", "cause": {}}


@pytest.fixture
async def desk(config: Settings) -> AsyncIterator[Desk]:
    async with service(config) as opened:
        yield opened


async def call(url: str, line: str, body: Any = None) -> tuple[int, dict[str, Any]]:
    method, _, path = line.partition(" ")
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"{url}/v1/consumers/{path}", json=body) as response,
    ):
        return response.status, await response.json()


def aside(**wrong: Any) -> dict[str, Any]:
    return ASIDE | {"letters": [LETTER | wrong]}


@pytest.mark.parametrize(
    ("line", "body", "field"),
    [
        ("POST .c/dead-letters", ASIDE, "consumer"),
        ("POST c/dead-letters", {}, "owner"),
        ("POST c/dead-letters", ASIDE | {"more": 1}, "more"),
        ("POST c/dead-letters", ASIDE | {"owner": OWNER | {"topic": "a b"}}, "owner.topic"),
        ("POST c/dead-letters", ASIDE | {"owner": OWNER | {"partition": -1}}, "owner.partition"),
        ("POST c/dead-letters", ASIDE | {"owner": OWNER | {"epoch": 2**63}}, "owner.epoch"),
        ("POST c/dead-letters", ASIDE | {"letters": []}, "letters"),
        ("POST c/dead-letters", ASIDE | {"letters": [LETTER] * (MAX_LETTERS + 1)}, "letters"),
        ("POST c/dead-letters", ASIDE | {"letters": [LETTER, LETTER]}, "letters[1].offset"),
        ("POST c/dead-letters", aside(offset=-1), "letters[0].offset"),
        ("POST c/dead-letters", aside(offset=2**63), "letters[0].offset"),
        ("POST c/dead-letters", aside(position="1"), "letters[0].position"),
        ("POST c/dead-letters", aside(key="k" * 201), "letters[0].key"),
        ("POST c/dead-letters", aside(key="a\x00b"), "letters[0].key"),
        ("POST c/dead-letters", aside(event_type="a\x00b"), "letters[0].event_type"),
        ("POST c/dead-letters", aside(event_id="i" * 301), "letters[0].event_id"),
        ("POST c/dead-letters", aside(value="%%%"), "letters[0].value"),
        ("POST c/dead-letters", aside(headers=[{"name": 1}]), "letters[0].headers[0].name"),
        ("POST c/dead-letters", aside(cause={"error": "e" * 2001}), "letters[0].cause.error"),
        ("POST c/dead-letters", aside(cause={"error": "\x00"}), "letters[0].cause.error"),
        ("POST c/dead-letters", aside(cause={"error_type": "e" * 301}), "letters[0].cause.error_type"),
        ("POST c/dead-letters", aside(cause={"attempts": -1}), "letters[0].cause.attempts"),
        ("POST c/dead-letters", aside(cause={"attempts": 2**31}), "letters[0].cause.attempts"),
        ("POST c/dead-letters/done", {"owner": OWNER}, "offset"),
        ("POST c/dead-letters/failed", FAILED | {"cause": {"traceback_hash": "f" * 65}}, "cause.traceback_hash"),
        ("POST c/dead-letters/unpark", {"owner": OWNER, "key": 1}, "key"),
        ("POST c/dead-letters/retry", {}, "keys"),
        ("POST c/dead-letters/retry", {"keys": ["k"], "all": True}, "keys"),
        ("POST c/dead-letters/retry", {"keys": ["k"] * 1001}, "keys"),
        ("POST c/dead-letters/retry", {"keys": ["\x00"]}, "keys[0]"),
        ("POST c/dead-letters/discard", {"all": True}, "key"),
        ("POST c/dead-letters/discard", {"key": "k", "offsets": [1], "all": True}, "offsets"),
        ("POST c/dead-letters/discard", {"key": "k", "offsets": [-1]}, "offsets[0]"),
        ("POST c/dead-letters/discard", {"key": "k", "topic": "a b"}, "topic"),
        ("POST c/dead-letters/discard", {"key": "k", "by": "b" * 1001}, "by"),
        ("GET c/dead-letters?key=%00", None, "key"),
        ("GET c/dead-letters?key=" + "k" * 201, None, "key"),
        ("GET c/dead-letters?limit=1001", None, "limit"),
        ("GET c/dead-letters?failed=perhaps", None, "failed"),
        ("GET c/dead-letters?after=t/0", None, "after"),
        ("GET c/dead-letters?after=t/0/x", None, "after"),
        ("GET c/dead-letters?after=t/0/9999999999999999999", None, "after"),
        ("GET c/dead-letters?size=1", None, "size"),
        ("GET c/parked?after=t/x/k", None, "after"),
        ("GET c/parked?partition=100001", None, "partition"),
        ("GET c/dead-letters/a%00b/0/0", None, "topic"),
        ("GET c/dead-letters/t/x/0", None, "partition"),
        ("GET c/dead-letters/t/0/-1", None, "offset"),
    ],
)
async def test_bad_input_names_its_field_and_stores_nothing(desk: Desk, line: str, body: Any, field: str) -> None:
    await desk.offsets.claim("c", "t", [0], "m")
    status, problem = await call(desk.url, line, body)
    assert (status, problem.get("field")) == (422, field)
    assert (await desk.parked("c")).parked == []
    assert (await desk.letters("c")).letters == []


async def test_whatever_a_record_is_made_of_is_kept(desk: Desk) -> None:
    """Anybody can write into a topic: bytes that are no text, names that are none, no value at all."""
    await desk.offsets.claim("c", "t", [0], "m")
    name = "\x00 \u2028 \U0010ffff " + "n" * 5000
    headers = [{"name": name, "value": base64.b64encode(b"\xff\x00").decode()}, {"name": "", "value": None}]
    body = aside(key="", value=None, headers=headers)
    assert (await call(desk.url, "POST c/dead-letters", body))[0] == 200
    kept = await desk.letter("c", "t", 0, 1)
    assert kept.value is None
    assert [(h.name, h.value) for h in kept.headers or []] == [(name, b"\xff\x00"), ("", None)]
    key = "käse/\u2028?&\N{PILE OF POO}"
    assert (await call(desk.url, "POST c/dead-letters", aside(offset=2, key=key)))[0] == 200
    assert brief((await desk.letters("c", key=key)).letters) == [(2, key, True)]
    assert (await desk.parked("c", limit=1, after=f"t/0/{key[:4]}")).parked[0].key == key


async def test_the_database_away_is_503_and_then_it_goes_on(private_postgres: PostgresServer) -> None:
    migrate(private_postgres.url, Schema("offsets", "offsets_svc"))
    config = config_for(private_postgres.url, pool_wait_s=0.2)
    async with service(config) as desk:
        own = await desk.claim()
        await desk.set_aside(CONSUMER, own, [letter(7), letter(8, failed=False)])
        await asyncio.to_thread(private_postgres.stop, "immediate")
        desk._connections.patience_s = 0.0
        for away in (
            desk.set_aside(CONSUMER, own, [letter(9)]),
            desk.done(CONSUMER, own, 7),
            desk.failed(CONSUMER, FailedAgain(own, 7, "order-7", CAUSE)),
            desk.unpark(CONSUMER, own, "order-7"),
            desk.letters(CONSUMER),
            desk.letters(CONSUMER, key="order-7"),
            desk.letter(CONSUMER, TOPIC, 0, 7),
            desk.parked(CONSUMER),
            desk.consumers(),
            desk.retry(CONSUMER, RetryLetters(all=True)),
            desk.discard(CONSUMER, DiscardLetters("order-7")),
        ):
            with pytest.raises(Unavailable):
                await away
        await asyncio.to_thread(private_postgres.start)
        desk._connections.patience_s = 30.0
        await desk.set_aside(CONSUMER, own, [letter(9)])
        assert [kept.offset for kept in await desk.everything()] == [7, 8, 9]
