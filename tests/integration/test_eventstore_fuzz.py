"""Some thousand of the fuzzer's requests; `make fuzz` sends more."""

from __future__ import annotations

from tests.fuzz.__main__ import run


def test_no_request_breaks_the_service_or_the_log() -> None:
    assert run(6000, seed=7).startswith("seed 7: 6000 requests")
