"""The calls about types against their own description: no schema that is made up by machine leads to a 5xx."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from crud_svc.describe import text
from tests import stack
from tests.contract.described import CHECKS, wait_for
from tests.services import ServiceProcess, config_for, processes
from tests.stack import Postgres


@pytest.fixture(scope="module")
def service_url(postgres_server: Postgres, template_database: str) -> Iterator[str]:
    """A service in a process of its own, on a database of its own."""
    with stack.fresh_database(postgres_server, template_database) as url:
        service = ServiceProcess("crud_svc", config_for(url, max_header_bytes=1 << 20), "crud_port").start()
        with processes(service):
            wait_for(service.url)
            yield service.url


described = json.loads(text())
schema = schemathesis.openapi.from_dict(described).include(path_regex="^/v1/types")


@schema.parametrize()
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_call_about_types_answers_as_it_says(case: Any, service_url: str) -> None:
    # What a schema may hold, and which names are reserved, is told in words.
    left_out = [positive_data_acceptance, negative_data_rejection]
    case.call_and_validate(base_url=service_url, checks=CHECKS, excluded_checks=left_out, timeout=20)
