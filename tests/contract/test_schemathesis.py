"""The event store against its own description: what its schemas allow, and what not, is answered as they say."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from eventstore_svc.describe import text
from tests import stack
from tests.services import ServiceProcess, config_for, processes, until
from tests.stack import Postgres

# A batch answers 200, with a result for each append that is none; and GET there asks for the event with the id "batch".
BATCH = "/v1/events/batch"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
]


@pytest.fixture(scope="module")
def service_url(postgres_server: Postgres, template_database: str) -> Iterator[str]:
    """A service in a process of its own, on a database of its own."""
    with stack.fresh_database(postgres_server, template_database) as url:
        # So that what is too long for a parameter is not already too long for HTTP.
        config = config_for(url, max_header_bytes=1 << 20)
        service = ServiceProcess("eventstore_svc", config, "eventstore_port").start()
        with processes(service):
            wait_for(service.url)
            yield service.url
            log = requests.get(f"{service.url}/v1/log/head", timeout=10)
            assert log.status_code == 200


def wait_for(url: str) -> None:
    def ready() -> bool:
        try:
            return bool(requests.get(f"{url}/readyz", timeout=5).status_code == 200)
        except requests.ConnectionError:
            return False

    asyncio.run(until(ready))


schema = schemathesis.openapi.from_dict(json.loads(text()))


# Schemathesis cannot make lines, and a live tail has no end; both have tests of their own in tests/integration.
@pytest.mark.filterwarnings("ignore:Skipped test cases with unsupported payload media types:UserWarning")
@schema.exclude(path="/v1/log/tail").parametrize()
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_call_answers_as_it_says(case: Any, service_url: str) -> None:
    if case.query and "wait" in case.query:
        case.query["wait"] = 0 if isinstance(case.query["wait"], int | float) else case.query["wait"]
    left_out = [unsupported_method, negative_data_rejection] if case.operation.path == BATCH else []
    case.call_and_validate(base_url=service_url, checks=CHECKS, excluded_checks=left_out, timeout=20)
