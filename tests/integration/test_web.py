"""What every service has from the shared ground: limits of time, health, a stop that finishes what was begun."""

from __future__ import annotations

import asyncio
import signal
import socket

import aiohttp
import psycopg
from aiohttp import web

from eskit.errors import EskitError, every_error
from eskit.settings import Settings
from eskit.web import bodies
from eskit.web.app import create_app
from eskit.web.problems import problem
from tests.services import ServiceProcess, config_for, processes, running, until

OPEN = web.AppKey("open", asyncio.Event)
BEGUN = web.AppKey("begun", asyncio.Event)


def app_for(config: Settings) -> web.Application:
    """Routes that wait, fail and echo."""

    async def slow(request: web.Request) -> web.StreamResponse:
        request.app[BEGUN].set()
        await request.app[OPEN].wait()
        return bodies.json_response({"done": True})

    async def echo(request: web.Request) -> web.Response:
        return web.Response(body=await bodies.read(request, "application/json"))

    async def careless(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    async def broken(_: web.Request) -> web.Response:
        raise ZeroDivisionError("secret: postgresql://user:geheim@host")

    async def well() -> None:
        return

    async def unwell() -> None:
        raise EskitError("the disk is full")

    app = create_app(
        "test",
        config,
        routes=[
            web.get("/slow", slow),
            web.post("/echo", echo),
            web.post("/careless", careless),
            web.get("/broken", broken),
        ],
        checks={"well": lambda _: well(), "unwell": lambda _: unwell()},
    )
    app[OPEN], app[BEGUN] = asyncio.Event(), asyncio.Event()
    return app


async def test_a_body_that_does_not_come_is_408() -> None:
    config = config_for("", body_timeout_s=0.2)
    async with running(app_for(config), config, "eventstore_port") as url:
        port = int(url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
        try:
            answer = await asyncio.wait_for(reader.read(65_536), 10)
        finally:
            writer.close()
            await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"request-timeout" in answer


async def test_a_body_over_its_limit_is_told_by_whomever_it_is_read() -> None:
    config = config_for("", max_body_bytes=1024)
    async with running(app_for(config), config, "eventstore_port") as url, aiohttp.ClientSession() as session:
        for route in ("echo", "careless"):
            headers = {"Content-Type": "application/json"}
            async with session.post(f"{url}/{route}", data=b"x" * 1025, headers=headers) as response:
                problem_ = await response.json()
            assert (response.status, problem_["field"], problem_["limit"]) == (413, "body", 1024)
            assert "ESKIT_MAX_BODY_BYTES" in problem_["detail"]


async def test_an_unforeseen_error_shows_nothing_of_the_inside() -> None:
    config = config_for("")
    async with running(app_for(config), config, "eventstore_port") as url, aiohttp.ClientSession() as session:
        response = await session.get(f"{url}/broken")
        body = await response.text()
    assert response.status == 500
    assert '"code":"internal"' in body
    assert "geheim" not in body
    assert "ZeroDivision" not in body


async def test_readiness_says_which_check_failed() -> None:
    config = config_for("")
    async with running(app_for(config), config, "eventstore_port") as url, aiohttp.ClientSession() as session:
        response = await session.get(f"{url}/readyz")
        assert (response.status, await response.json()) == (
            503,
            {"status": "not ready", "checks": {"well": "ok", "unwell": "the disk is full"}},
        )
        assert (await session.get(f"{url}/livez")).status == 200


async def test_a_stop_finishes_the_requests_in_flight() -> None:
    config = config_for("")
    app = app_for(config)
    async with aiohttp.ClientSession() as session:
        async with running(app, config, "eventstore_port") as url:
            request = asyncio.create_task(session.get(f"{url}/slow"))
            await app[BEGUN].wait()
            asyncio.get_running_loop().call_later(0.2, app[OPEN].set)
        response = await request
        assert await response.json() == {"done": True}


def test_every_error_is_a_problem_with_a_code_of_its_own() -> None:
    errors = list(every_error())
    assert len({error.code for error in errors}) == len(errors)
    for error in errors:
        document = problem(error("what and how", field="f", more=1))
        assert document["type"].endswith(f"/{error.code}")
        assert (document["detail"], document["field"], document["more"]) == ("what and how", "f", 1)
        assert 400 <= document["status"] < 600
        assert error.__doc__


async def test_a_service_process_starts_says_what_it_found_and_stops(config: Settings) -> None:
    process = ServiceProcess("eventstore_svc", config, "eventstore_port")
    with processes(process):
        await process.start().ready()
        assert process.stop() == 0
        output = process.output()
    assert '"event": "listening"' in output
    password = psycopg.conninfo.conninfo_to_dict(config.database_url).get("password")
    assert password
    assert str(password) not in output  # the original printed it


async def test_a_taken_port_is_named(config: Settings) -> None:
    process = ServiceProcess("eventstore_svc", config, "eventstore_port")
    with socket.create_server(("127.0.0.1", process.port)), processes(process):
        assert await asyncio.to_thread(process.start().wait) == 1
        assert f"cannot listen on 127.0.0.1:{process.port}" in process.output()
        assert "ESKIT_EVENTSTORE_PORT" in process.output()


async def test_sigint_is_an_orderly_stop_too(config: Settings) -> None:
    process = ServiceProcess("eventstore_svc", config, "eventstore_port")
    with processes(process):
        await process.start().ready()
        process.signal(signal.SIGINT)
        assert await asyncio.to_thread(process.wait) == 0
        await until(lambda: '"event": "stopped"' in process.output())
