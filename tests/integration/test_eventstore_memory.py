"""What the service takes to let many read a long log; `python -m tests.benchmarks memory` has longer ones."""

from __future__ import annotations

import pytest

from eskit.settings import Settings
from tests.benchmarks.filling import fill
from tests.benchmarks.measure import service
from tests.benchmarks.memory import at_once, read, sampled
from tests.benchmarks.waiting import listener
from tests.services import config_for

EVENTS = 200_000  # some 100 MB
MOST_KIB = 60 * 1024


@pytest.mark.slow
def test_a_log_of_any_size_is_read_with_little_memory(config: Settings) -> None:
    """By four at once, then by one that is slow: what is on its way is bounded, whoever reads."""
    fill(config.database_url, 1, EVENTS)
    with service("eventstore_svc", config_for(config.database_url), "eventstore_port") as port:
        with sampled(listener(port)) as resident:
            assert at_once(port, EVENTS) > 300_000_000
            assert read(port, EVENTS, bytes_per_s=40_000_000) > 90_000_000
        assert max(resident) - resident[0] < MOST_KIB
