"""The CRUD service against its own description: what its schemas allow, and what not, is answered as they say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance, unsupported_method

from crud_svc.describe import text
from tests import stack
from tests.contract.described import CHECKS, wait_for
from tests.services import ServiceProcess, config_for, processes
from tests.stack import Postgres

WHOLE = """
SELECT count(*), count(*) = max(position),
       (SELECT bool_and(n = last) FROM (SELECT count(*) AS n, max(version) AS last FROM events
                                         GROUP BY entity_type, originator_id) AS streams)
  FROM events"""
OTHERS = """
SELECT DISTINCT action FROM events
 WHERE entity_type = 'User' AND action NOT IN ('Created', 'Updated', 'Deleted', 'Restored')"""
# A batch answers 200, with a result for each line that is none; and other methods there have other meanings.
BATCH = "/v1/entities:batch"
# Needs the entity view, which needs Kafka.
LIST = "/v1/entities/{entity_type}"


@pytest.fixture(scope="module")
def service_url(postgres_server: Postgres, template_database: str) -> Iterator[str]:
    """A service in a process of its own, on a database of its own; what it has stored at the end is a log."""
    with stack.fresh_database(postgres_server, template_database) as url:
        config = config_for(url, max_header_bytes=1 << 20)
        service = ServiceProcess("crud_svc", config, "crud_port").start()
        with processes(service):
            wait_for(service.url)
            yield service.url
        with psycopg.connect(url, options="-c search_path=eventstore") as owner:
            row = owner.execute(WHOLE).fetchone()
            assert owner.execute(OTHERS).fetchall() == []
        assert row is not None
        assert row[0] > 0
        assert row[1:] == (True, True)


schema = schemathesis.openapi.from_dict(json.loads(text()))


@schema.exclude(path=LIST, method="GET").parametrize()
@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_call_answers_as_it_says(case: Any, service_url: str) -> None:
    # Some of what is allowed is in words: which ids, which texts in headers, and numbers within what a float can hold.
    left_out: list[Any] = [positive_data_acceptance]
    left_out += [unsupported_method, negative_data_rejection] if case.operation.path == BATCH else []
    case.call_and_validate(base_url=service_url, checks=CHECKS, excluded_checks=left_out, timeout=20)


@schema.include(path_regex="/{id}").parametrize()
@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_calls_about_an_entity_that_is_there(case: Any, service_url: str) -> None:
    """Most ids that are made up name nothing. What is sent may do any harm: the entity is brought back each time."""
    known = f"{service_url}/v1/entities/User/known"
    requests.put(known, json={"a": {"b": [1]}}, headers={"If-None-Match": "*"}, timeout=20)
    case.path_parameters = {"entity_type": "User", "id": "known"}
    # A wrong id or type, which this case may have been about, is none any more.
    left_out = [positive_data_acceptance, negative_data_rejection]
    case.call_and_validate(base_url=service_url, checks=CHECKS, excluded_checks=left_out, timeout=20)
