"""Every limit is a setting; what is over it gets a 4xx that says which field, which limit and which setting."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import aiohttp
import pytest

from eskit import settings
from eskit.settings import Settings
from eventstore_svc.app import eventstore_app
from tests.integration.eventstore_calls import GOOD, Api
from tests.services import ROOT, config_for, running

LIMITS: dict[str, Any] = {
    "max_header_bytes": 1000,
    "max_headers": 20,
    "max_body_bytes": 8000,
    "max_event_bytes": 2000,
    "max_events": 3,
    "max_appends": 2,
    "max_depth": 4,
    "max_id_bytes": 10,
    "max_type_bytes": 20,
    "max_metadata_keys": 2,
    "max_metadata_key": 5,
    "max_metadata_value": 700,
    "max_metadata_header": 12,
}
# What is over these is not the request's fault: 503, or it waits its turn.
OF_THE_PROCESS = {"max_connections", "max_queue", "max_queue_bytes", "max_batch", "max_waiting"}
NDJSON = {"Content-Type": "application/x-ndjson"}


class Over(NamedTuple):
    """A request over one limit, and the answer it gets."""

    setting: str
    body: Any
    code: str
    field: str
    headers: dict[str, str] = {}  # noqa: RUF012 - nobody changes it
    path: str = "/v1/events"


def metadata(**pairs: str) -> dict[str, Any]:
    return GOOD | {"metadata": pairs}


DEEP = {"a": [[[[1]]]]}
OVER = [
    Over("max_header_bytes", GOOD, "header-too-large", "headers", {"X": "x" * 1001}),
    Over("max_header_bytes", GOOD, "uri-too-long", "request-line", path="/v1/" + "x" * 1001),
    Over("max_headers", GOOD, "header-too-large", "headers", {f"X-{n}": "" for n in range(21)}),
    Over("max_body_bytes", GOOD | {"payload": {"a": "x" * 8000}}, "too-large", "body"),
    Over("max_body_bytes", {"appends": ["x" * 8000]}, "too-large", "body", path="/v1/events/batch"),
    Over("max_event_bytes", GOOD | {"payload": {"a": "x" * 2000}}, "too-large", "payload"),
    Over("max_event_bytes", metadata(a="ü" * 600, b="ü" * 600), "too-large", "metadata"),
    Over(
        "max_event_bytes", {"events": [GOOD, GOOD | {"payload": {"a": "x" * 2000}}]}, "too-large", "events[1].payload"
    ),
    Over("max_events", {"events": [GOOD] * 4}, "invalid-request", "events"),
    Over("max_appends", {"appends": [GOOD] * 3}, "invalid-request", "appends", path="/v1/events/batch"),
    Over("max_depth", GOOD | {"payload": DEEP}, "invalid-request", "payload"),
    Over("max_depth", {"events": [GOOD, GOOD | {"payload": DEEP}]}, "invalid-request", "events[1].payload"),
    Over("max_id_bytes", GOOD | {"originator": {"id": "x" * 11}}, "invalid-request", "originator.id"),
    Over("max_id_bytes", GOOD | {"originator": {"id": "ü" * 6}}, "invalid-request", "originator.id"),
    Over("max_type_bytes", GOOD | {"event_type": "User." + "x" * 16}, "invalid-request", "event_type"),
    Over("max_metadata_keys", metadata(a="", b="", c=""), "invalid-request", "metadata"),
    Over("max_metadata_key", metadata(toolong=""), "invalid-request", "metadata.toolo"),
    Over("max_metadata_value", metadata(a="x" * 701), "invalid-request", "metadata.a"),
    Over("max_metadata_value", {"events": [metadata(a="x" * 701)]}, "invalid-request", "events[0].metadata.a"),
    Over("max_metadata_header", GOOD, "invalid-request", "Eskit-User", {"Eskit-User": "x" * 13}),
]


@pytest.fixture
async def limited(config: Settings) -> AsyncIterator[Api]:
    small = config_for(config.database_url, **LIMITS)
    async with running(eventstore_app(small), small, "eventstore_port") as url, aiohttp.ClientSession() as session:
        yield Api(url, session)


async def raw(api: Api, over: Over) -> dict[str, Any]:
    """The problem that the request gets; without the headers that a client adds, so that they can be counted."""
    body = json.dumps(over.body).encode()
    head = [f"POST {over.path} HTTP/1.1", "Host: x", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    head += [f"{name}: {value}" for name, value in over.headers.items()]
    reader, writer = await asyncio.open_connection("127.0.0.1", int(api.url.rpartition(":")[2]))
    writer.write("\r\n".join([*head, "Connection: close", "", ""]).encode() + body)
    async with asyncio.timeout(20):
        status_and_headers, _, answer = (await reader.read(-1)).partition(b"\r\n\r\n")
    writer.close()
    problem: dict[str, Any] = json.loads(answer)
    assert int(status_and_headers.split()[1]) == problem["status"]
    assert 400 <= problem["status"] < 500
    return problem


@pytest.mark.parametrize("over", OVER, ids=[f"{over.setting} {over.field}" for over in OVER])
async def test_what_is_over_a_limit_is_told_which_one(limited: Api, over: Over) -> None:
    problem = await raw(limited, over)
    limit = LIMITS[over.setting]
    assert (problem["code"], problem["field"], problem.get("limit")) == (over.code, over.field, limit), problem
    assert settings.variable(over.setting) in problem["detail"]
    assert str(limit) in problem["detail"]
    assert (await limited.get("/v1/log/head"))[1]["position"] == 0


async def test_a_line_over_its_limit_is_told_too(limited: Api) -> None:
    body = b'{"x":"' + b"y" * 8000 + b'"}\n' + json.dumps(GOOD).encode()
    async with limited.session.post(f"{limited.url}/v1/events/batch", data=body, headers=NDJSON) as response:
        long, good = [json.loads(line) for line in (await response.text()).splitlines()]
    assert [long["problem"][name] for name in ("code", "field", "limit")] == ["too-large", "body", 8000]
    assert "ESKIT_MAX_BODY_BYTES" in long["problem"]["detail"]
    assert good["status"] == 201


async def test_what_is_just_within_the_limits_is_stored(limited: Api) -> None:
    event = {
        "originator": {"id": "x" * 10},
        "event_type": "User." + "x" * 15,
        "payload": {"a": [[[1]]]},
        "metadata": {"a": "x" * 700, "bbbbb": ""},
    }
    status, _ = await limited.append({"events": [event] * 3}, Eskit_User="x" * 12)
    assert status == 201


async def test_what_was_stored_under_another_limit_can_be_read(config: Settings, limited: Api) -> None:
    async with running(eventstore_app(config), config, "eventstore_port") as url, aiohttp.ClientSession() as session:
        long = GOOD | {"originator": {"id": "x" * 200}, "event_type": "U" * 191 + ".Created"}
        assert (await Api(url, session).append(long))[0] == 201
    status, page = await limited.get(f"/v1/streams/{'U' * 191}/{'x' * 200}/events")
    assert (status, len(page["events"])) == (200, 1)


def test_no_limit_is_forgotten() -> None:
    limits = {name for name in Settings.__struct_fields__ if name.startswith("max_")}
    assert set(LIMITS) | OF_THE_PROCESS == limits
    assert {over.setting for over in OVER} == set(LIMITS)


def test_the_page_of_errors_has_a_row_for_each() -> None:
    rows = [line for line in (ROOT / "docs/reference/errors.md").read_text().splitlines() if line.startswith("| ")]
    for over in OVER:
        assert [r for r in rows if f"`{over.code}`" in r and f"`{settings.variable(over.setting)}`" in r], over
