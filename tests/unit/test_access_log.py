"""The access log under a flood of failures: some lines a second, and how many are missing."""

from __future__ import annotations

import time

import pytest
from aiohttp.test_utils import make_mocked_request
from structlog.testing import capture_logs

from eskit.web.access_log import WARNINGS_EACH_S, AccessLog


def test_a_flood_is_counted_and_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    request = make_mocked_request("POST", "/v1/events", headers={"X-Request-Id": "r-1"})
    access_log = AccessLog()
    with capture_logs() as lines:
        for _ in range(WARNINGS_EACH_S + 30):
            access_log.write(request, 503, 0.001)
        access_log.write(request, 201, 0.001)
        now = 1001.0
        for _ in range(2):
            access_log.write(request, 503, 0.001)
    assert len(lines) == WARNINGS_EACH_S + 2
    assert [line.get("left_out", 0) for line in lines] == [0] * WARNINGS_EACH_S + [30, 0]
    assert {line["status"] for line in lines} == {503}
