"""The offsets service against its own description: what its schemas allow, and what not, is answered as they say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from offsets_svc.describe import text
from tests import stack
from tests.contract.described import CHECKS, wait_for
from tests.services import ServiceProcess, config_for, processes
from tests.stack import Postgres

# Of the others some of what is allowed is in words: partitions that differ, one place of several, printable text.
EXACT = {"/v1/consumers"}
WHOLE = """
SELECT count(*), bool_and(reset_epoch <= epoch), bool_and(next_offset >= 0)
  FROM offsets.offsets"""


@pytest.fixture(scope="module")
def service_url(postgres_server: Postgres, template_database: str) -> Iterator[str]:
    """A service in a process of its own, on a database of its own."""
    with stack.fresh_database(postgres_server, template_database) as url:
        config = config_for(url, max_header_bytes=1 << 20)
        service = ServiceProcess("offsets_svc", config, "offsets_port").start()
        with processes(service):
            wait_for(service.url)
            yield service.url
        with psycopg.connect(url) as owner:
            row = owner.execute(WHOLE).fetchone()
        assert row is not None
        assert row[0] > 0
        assert row[1:] == (True, True)


schema = schemathesis.openapi.from_dict(json.loads(text()))


@schema.parametrize()
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_call_answers_as_it_says(case: Any, service_url: str) -> None:
    left_out: list[Any] = [] if case.operation.path in EXACT else [positive_data_acceptance]
    # A path's text that looks like a number is one: `partition` is no string to a generator of wrong types.
    left_out += [negative_data_rejection] if "{partition}" in case.operation.path else []
    case.call_and_validate(base_url=service_url, checks=CHECKS, excluded_checks=left_out, timeout=20)
