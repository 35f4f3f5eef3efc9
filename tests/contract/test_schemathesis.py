"""The event store against its own description: what its schemas allow, and what not, is answered as they say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance, unsupported_method

from eventstore_svc.describe import text
from tests import stack
from tests.contract.described import CHECKS, wait_for
from tests.services import ServiceProcess, config_for, processes
from tests.stack import Postgres

# A batch answers 200, with a result for each append that is none; and GET there asks for the event with the id "batch".
BATCH = "/v1/events/batch"
# Of these the schemas say everything. Of the others some of it is in words: which ids, which texts in headers.
EXACT = {"/v1/events/{event_id}", "/v1/log/head"}
WAIT_S = 0.05
DENSE = """
SELECT count(*), count(*) = max(position) AND count(*) = (SELECT count(*) FROM outbox),
       (SELECT bool_and(n = last) FROM (SELECT count(*) AS n, max(version) AS last FROM events
                                         GROUP BY entity_type, originator_id) AS streams)
  FROM events"""


@pytest.fixture(scope="module")
def service_url(postgres_server: Postgres, template_database: str) -> Iterator[str]:
    """A service in a process of its own, on a database of its own; what it has stored at the end is a log."""
    with stack.fresh_database(postgres_server, template_database) as url:
        # So that what is too long for a parameter is not already too long for HTTP.
        config = config_for(url, max_header_bytes=1 << 20)
        service = ServiceProcess("eventstore_svc", config, "eventstore_port").start()
        with processes(service):
            wait_for(service.url)
            yield service.url
        with psycopg.connect(url, options="-c search_path=eventstore") as owner:
            row = owner.execute(DENSE).fetchone()
        assert row is not None
        assert row[0] > 0
        assert row[1:] == (True, True)


schema = schemathesis.openapi.from_dict(json.loads(text()))


# A live tail has no end; it has tests of its own in tests/integration.
@schema.exclude(path="/v1/log/tail").parametrize()
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_call_answers_as_it_says(case: Any, service_url: str) -> None:
    wait = (case.query or {}).get("wait")
    if isinstance(wait, int | float) and 0 <= wait <= 30:
        case.query["wait"] = min(wait, WAIT_S)
    left_out = [unsupported_method, negative_data_rejection] if case.operation.path == BATCH else []
    left_out += [] if case.operation.path in EXACT else [positive_data_acceptance]
    case.call_and_validate(base_url=service_url, checks=CHECKS, excluded_checks=left_out, timeout=20)
