"""What the clients do when a service is away, asks for patience, or is somebody else: against a stand-in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from aiohttp import web

from eskit.client import Connections, Entities, EventStore, NewEvent, Offsets
from eskit.client.patience import RETRY_MOST_S
from eskit.errors import EskitError, Overloaded, Unavailable, VersionConflict
from eskit.settings import Settings
from tests.services import config_for, running

WRITTEN = b'{"id":"u","version":1,"position":1}'


class StandIn:
    """Answers what it is told to, in turn, the last one for ever; remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: list[web.Response] = []
        self.asked: list[web.BaseRequest] = []

    async def answer(self, request: web.BaseRequest) -> web.Response:
        self.asked.append(request)
        given = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return web.Response(body=given.body, status=given.status, headers=given.headers)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.answer)
        return app


@pytest.fixture
def config() -> Settings:
    return config_for("")


@pytest.fixture
def standin() -> StandIn:
    return StandIn()


@pytest.fixture
async def url(config: Settings, standin: StandIn) -> AsyncIterator[str]:
    async with running(standin.app(), config, "crud_port") as url:
        yield url


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the client has waited; it does not really."""
    waits: list[float] = []

    async def note(wait_s: float) -> None:
        waits.append(wait_s)

    class Clock:
        get_running_loop = staticmethod(asyncio.get_running_loop)
        sleep = staticmethod(note)

    monkeypatch.setattr("eskit.client.patience.asyncio", Clock)
    return waits


def away(retry_after: str | None = None, code: str = "unavailable", status: int = 503) -> web.Response:
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return web.json_response({"code": code, "detail": "busy"}, status=status, headers=headers)


async def test_a_service_that_asks_for_time_gets_it(url: str, standin: StandIn, slept: list[float]) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    standin.answers = [away("3"), away(later), away("soon"), away(), web.Response(body=WRITTEN)]
    async with Entities(url, "User") as users:
        assert (await users.create({"a": 1})).id == "u"
    seconds, date, unreadable, nothing = slept
    assert 3 <= seconds <= 3 + RETRY_MOST_S
    assert 15 <= date <= 20 + RETRY_MOST_S
    assert unreadable <= RETRY_MOST_S
    assert nothing <= RETRY_MOST_S


async def test_a_write_sent_again_has_the_same_key(url: str, standin: StandIn, slept: list[float]) -> None:
    standin.answers = [away(), away(status=502), away("1", "overloaded"), web.Response(body=WRITTEN)]
    async with Entities(url, "User") as users:
        await users.create({"a": 1})
        await users.create({"a": 1})
    keys = [request.headers["Idempotency-Key"] for request in standin.asked]
    assert len(slept) == 3
    assert len(set(keys[:4])) == 1
    assert keys[4] != keys[0]


async def test_patience_ends_before_a_wait_that_is_longer(url: str, standin: StandIn, slept: list[float]) -> None:
    standin.answers = [away("60", "overloaded")]
    async with Entities(url, "User", patience_s=5) as users:
        with pytest.raises(Overloaded, match="busy") as raised:
            await users.get("u")
    assert raised.value.extra["retry_after_s"] == 60
    assert (len(standin.asked), slept) == (1, [])


async def test_what_is_refused_is_not_sent_again(url: str, standin: StandIn) -> None:
    problem = {"code": "version-conflict", "detail": "no", "field": "events[0].version", "actual": 3}
    standin.answers = [web.json_response(problem, status=409)]
    async with EventStore(url) as events:
        with pytest.raises(VersionConflict) as raised:
            await events.append(NewEvent(id="u", event_type="User.Created", payload={}))
    assert (raised.value.field, raised.value.extra) == ("events[0].version", {"actual": 3})
    assert len(standin.asked) == 1


@pytest.mark.parametrize("body", [b"<html>maintenance</html>", b"{}", b"[]", b"null", b"\xff", b""])
async def test_an_answer_of_somebody_else_means_the_service_is_away(url: str, standin: StandIn, body: bytes) -> None:
    standin.answers = [web.Response(body=body)]
    async with Connections(url) as at:
        users, events, offsets = Entities(at, "User"), EventStore(at), Offsets(at)
        for call in (users.create({}), users.get("u"), users.list(), users.history("u"), users.blame("u"),
                     users.delete("u", version=1), events.head(), events.log(), events.streams(),
                     events.append(NewEvent(id="u", event_type="A.B", payload={})), offsets.consumers()):  # fmt: skip
            with pytest.raises(Unavailable, match=r"not as the (CRUD service|event store|offsets service) does"):
                await call


async def test_clients_share_connections_and_leave_them_open(url: str, standin: StandIn) -> None:
    standin.answers = [web.Response(body=WRITTEN)]
    async with Connections(url) as at:
        async with Entities(at, "User") as users:
            await users.create({})
        await Entities(at, "Order").create({})
        with pytest.raises(TypeError, match="those of the Connections"):
            Entities(at, "User", patience_s=5)
    assert [request.path for request in standin.asked] == ["/v1/entities/User", "/v1/entities/Order"]
    with pytest.raises(EskitError, match="async context manager"):
        await Entities(at, "User").create({})


async def test_names_are_encoded_in_paths(url: str, standin: StandIn) -> None:
    standin.answers = [web.Response(body=WRITTEN)]
    async with Entities(url, "com.acme.User") as users:
        await users.put("a/b ?#ä", {}, version=3)
    assert standin.asked[0].raw_path == "/v1/entities/com.acme.User/a%2Fb%20%3F%23%C3%A4"
    assert standin.asked[0].headers["If-Match"] == '"3"'
