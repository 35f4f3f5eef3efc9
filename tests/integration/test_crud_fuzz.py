"""Some thousand of the fuzzer's requests to the CRUD service: `make fuzz ARGS="--service crud"` sends more."""

from __future__ import annotations

from tests.fuzz.crud import run


def test_no_request_breaks_the_service_or_an_entity() -> None:
    assert run(4000, seed=7).startswith("seed 7: 4000 requests")
