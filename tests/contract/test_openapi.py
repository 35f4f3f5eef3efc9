"""Services describe themselves: validly, completely, and as it is kept in `schemas/`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from html.parser import HTMLParser
from typing import Any, NamedTuple

import aiohttp
import pytest
from aiohttp import web
from openapi_spec_validator import validate

from crud_svc import app as crud
from crud_svc import describe as crud_described
from eskit.settings import Settings
from eskit.web.openapi import path_of
from eskit.web.operations import Operation
from eventstore_svc import app as eventstore
from eventstore_svc import describe as eventstore_described
from offsets_svc import app as offsets
from offsets_svc import describe as offsets_described
from tests.services import ROOT, config_for, running

BESIDE = {"/livez", "/readyz", "/metrics", "/openapi.json", "/docs", "/{path}"}


class Service(NamedTuple):
    """What describes itself."""

    name: str
    app: Callable[[Settings], web.Application]
    operations: Sequence[Operation]
    text: Callable[[], str]


SERVICES = (
    Service("eventstore", eventstore.eventstore_app, eventstore.OPERATIONS, eventstore_described.text),
    Service("crud", crud.crud_app, crud.OPERATIONS, crud_described.text),
    Service("offsets", offsets.offsets_app, offsets.OPERATIONS, offsets_described.text),
)


@pytest.fixture(params=SERVICES, ids=lambda service: service.name)
def service(request: pytest.FixtureRequest) -> Service:
    found: Service = request.param
    return found


@pytest.fixture
async def url(database_url: str, service: Service) -> AsyncIterator[str]:
    config = config_for(database_url)
    async with running(service.app(config), config, f"{service.name}_port") as found:
        yield found


async def get(url: str, **headers: str) -> tuple[int, bytes, Any]:
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
        return response.status, await response.read(), response.headers


async def test_the_document_is_valid_and_the_one_that_is_kept(url: str, service: Service) -> None:
    status, body, headers = await get(f"{url}/openapi.json")
    assert (status, headers["Content-Type"]) == (200, "application/json")
    document = json.loads(body)
    validate(document)
    kept = ROOT / "schemas" / f"openapi-{service.name}.json"
    assert (await get(f"{url}/openapi.json", **{"If-None-Match": headers["ETag"]}))[0] == 304
    assert kept.read_text(encoding="utf-8") == service.text(), "out of date: make generate"
    assert json.loads(service.text()) == document


def test_every_route_is_described_and_nothing_else(service: Service) -> None:
    app = service.app(config_for(""))
    routed = {
        (route.method, route.resource.canonical)
        for route in app.router.routes()
        if route.resource is not None and route.resource.canonical not in BESIDE and route.method != "HEAD"
    }
    assert routed == {(operation.method, path_of(operation)) for operation in service.operations}


def test_every_parameter_and_every_answer_is_explained(service: Service) -> None:
    for path, calls in json.loads(service.text())["paths"].items():
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


async def test_the_page_needs_nothing_from_elsewhere(url: str, service: Service) -> None:
    status, body, headers = await get(f"{url}/docs")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    page = Page()
    page.feed(body.decode())
    assert not page.tags & {"script", "img", "iframe", "link", "form"}
    types = set(json.loads(service.text())["components"]["schemas"])
    calls = {operation.handler.__name__ for operation in service.operations}
    assert page.ids == calls | types
    assert calls <= {target.removeprefix("#") for target in page.targets} <= page.ids | {"/openapi.json"}
