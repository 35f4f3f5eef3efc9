"""The event store describes itself: validly, completely, and as it is kept in `schemas/`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from typing import Any

import aiohttp
import pytest
from openapi_spec_validator import validate

from eskit.settings import Settings
from eskit.web.openapi import path_of
from eventstore_svc.app import OPERATIONS, eventstore_app
from eventstore_svc.describe import text
from tests.services import ROOT, config_for, running

KEPT = ROOT / "schemas" / "openapi-eventstore.json"
BESIDE = {"/livez", "/readyz", "/metrics", "/openapi.json", "/docs", "/{path}"}


@pytest.fixture
async def url(database_url: str) -> AsyncIterator[str]:
    config: Settings = config_for(database_url)
    async with running(eventstore_app(config), config, "eventstore_port") as found:
        yield found


async def get(url: str, **headers: str) -> tuple[int, bytes, Any]:
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
        return response.status, await response.read(), response.headers


async def test_the_document_is_valid_and_the_one_that_is_kept(url: str) -> None:
    status, body, headers = await get(f"{url}/openapi.json")
    assert (status, headers["Content-Type"]) == (200, "application/json")
    document = json.loads(body)
    validate(document)
    assert (await get(f"{url}/openapi.json", **{"If-None-Match": headers["ETag"]}))[0] == 304
    assert KEPT.read_text(encoding="utf-8") == text(), "out of date: make generate"
    assert json.loads(text()) == document


def test_every_route_is_described_and_nothing_else() -> None:
    app = eventstore_app(config_for(""))
    routed = {
        (route.method, route.resource.canonical)
        for route in app.router.routes()
        if route.resource is not None and route.resource.canonical not in BESIDE and route.method != "HEAD"
    }
    assert routed == {(operation.method, path_of(operation)) for operation in OPERATIONS}


def test_every_parameter_and_every_answer_is_explained() -> None:
    for path, calls in json.loads(text())["paths"].items():
        for method, call in calls.items():
            where = f"{method} {path}"
            assert call["summary"], where
            for parameter in call["parameters"]:
                assert parameter["description"], (where, parameter["name"])
            for status, answer in call["responses"].items():
                assert answer["description"], (where, status)


class Page(HTMLParser):
    """Which elements a page has, and which ids and targets."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.ids: set[str] = set()
        self.targets: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.ids |= {value for name, value in attrs if name == "id" and value}
        self.targets |= {value for name, value in attrs if name in {"href", "src"} and value}


async def test_the_page_needs_nothing_from_elsewhere(url: str) -> None:
    status, body, headers = await get(f"{url}/docs")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    page = Page()
    page.feed(body.decode())
    assert not page.tags & {"script", "img", "iframe", "link", "form"}
    types = set(json.loads(text())["components"]["schemas"])
    calls = {operation.handler.__name__ for operation in OPERATIONS}
    assert page.ids == calls | types
    assert calls <= {target.removeprefix("#") for target in page.targets} <= page.ids | {"/openapi.json"}
