"""Something else answers where the offsets service should be, with 200: as if it were away, and nobody ends for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
import pytest
from aiohttp import web

from eskit.client.offsets import Offsets
from eskit.consumer import Consumer, Tuning
from eskit.errors import Unavailable
from eskit.offsets import Commit
from eskit.settings import Settings
from infra.local.broker import KafkaBroker
from infra.local.ports import free_port
from offsets_svc.app import offsets_app
from tests.integration.consuming import Topic, all_saved, collect, consuming, last_of, ready
from tests.services import running, until

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]

CALLS: list[Callable[[Offsets], Awaitable[object]]] = [
    lambda client: client.claim("billing", "t", [0], "host"),
    lambda client: client.commit("billing", Commit("t", 0, 1)),
    lambda client: client.commit_all("billing", [Commit("t", 0, 1)]),
    lambda client: client.consumers(),
    lambda client: client.consumer("billing"),
]
BODIES = [
    b"<html>maintenance</html>",
    b"",
    b"\xff\xfe",
    b"{}",
    b"[]",
    b"null",
    b'{"claims": []}',
    b'{"claims": [{"partition": 1, "epoch": 1}]}',
    b'{"results": []}',
    b'{"results": [{}]}',
    b'{"results": [{"topic": "t", "partition": 0}]}',
    b'{"results": [{"topic": "t", "partition": 1, "status": 200, "offset": 1, "position": 1, "epoch": 1}]}',
    b'{"results": [{"topic": "t", "partition": 0, "status": 200, "offset": "1"}]}',
]


class Proxy:
    """In front of the service; answers `body` itself when there is one."""

    def __init__(self) -> None:
        self.body: bytes | None = None

    def app(self, config: Settings) -> web.Application:
        app = offsets_app(config)

        @web.middleware
        async def instead(request: web.Request, handler: Answer) -> web.StreamResponse:
            if self.body is not None and request.path.startswith("/v1"):
                return web.Response(body=self.body)
            return await handler(request)

        app.middlewares.append(instead)
        return app


@pytest.fixture
def proxy() -> Proxy:
    return Proxy()


@pytest.fixture
async def offsets(config: Settings, proxy: Proxy) -> AsyncIterator[Offsets]:
    async with running(proxy.app(config), config, "offsets_port") as url, Offsets(url) as client:
        yield client


async def test_an_answer_that_is_not_the_services_means_it_is_away(offsets: Offsets, proxy: Proxy) -> None:
    for proxy.body in BODIES:
        for call in CALLS:
            with pytest.raises(Unavailable, match="not as the offsets service does"):
                await call(offsets)


async def test_a_consumer_waits_until_the_service_answers_again(
    log_config: Settings, kafka_broker: KafkaBroker, proxy: Proxy
) -> None:
    port = free_port()
    config = msgspec.structs.replace(log_config, offsets_port=port, offsets_url=f"http://127.0.0.1:{port}")
    topic = Topic(config, kafka_broker)
    consumer = Consumer("billing", tuning=Tuning(commit_interval_s=0.05))
    seen = collect(consumer)
    proxy.body = BODIES[0]

    async def away() -> bool:
        try:
            await consumer.check()
        except Unavailable as error:
            return "not as the offsets service does" in error.detail
        return False

    topic.add_positions(range(1, 101))
    async with running(proxy.app(config), config, "offsets_port"), consuming(config, consumer):
        await until(away)  # it cannot claim
        proxy.body = None
        await until(lambda: all_saved(config, "billing", last_of(range(1, 101))))
        proxy.body = BODIES[0]
        topic.add_positions(range(101, 201))
        await until(away)  # it cannot commit
        proxy.body = None
        await until(lambda: all_saved(config, "billing", last_of(range(1, 201))))
        await until(lambda: ready(consumer))
    assert sorted(seen.positions) == list(range(1, 201))
