"""What every service is held against that describes itself."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import requests
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from tests.services import until

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    unsupported_method,
]


@schemathesis.serializer("application/x-ndjson")
def lines(_: Any, value: Any) -> Any:
    """One line with its end, and once more without."""
    return (json.dumps(value) + "\n" + json.dumps(value)).encode()


def wait_for(url: str) -> None:
    """Until a service is ready."""

    def ready() -> bool:
        try:
            return bool(requests.get(f"{url}/readyz", timeout=5).status_code == 200)
        except requests.ConnectionError:
            return False

    asyncio.run(until(ready))
