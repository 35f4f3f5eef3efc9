"""A history that does not fit into the log: all up to there is stored."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from eskit.cli.export_lines import EventLine, parsed
from eskit.cli.import_events import EventImport
from eskit.client import EventStore
from eskit.errors import EskitError
from eskit.testing import in_process


def event(number: int, version: int, data: Any = None, subject: str = "s") -> EventLine:
    found = parsed(
        json.dumps(
            {
                "specversion": "1.0",
                "id": str(UUID(int=number, version=4)),
                "source": "x",
                "type": "Thing.Created",
                "subject": subject,
                "time": "2026-01-01T00:00:00Z",
                "sequence": str(version),
                "data": data or {},
            }
        ).encode()
    )
    assert isinstance(found, EventLine)
    return found


async def test_what_comes_before_a_gap_or_what_is_too_large_is_stored() -> None:
    async with in_process() as services, EventStore(services.eventstore) as store:
        outcomes = await EventImport(store).store([event(1, 1), event(2, 2), event(4, 4), event(5, 5)])
        assert [isinstance(outcome, EskitError) for outcome in outcomes] == [False, False, True, True]
        large = event(7, 2, {"d": "x" * 950_000}, "t")
        outcomes = await EventImport(store).store([event(6, 1, subject="t"), large])
        assert [isinstance(outcome, EskitError) for outcome in outcomes] == [False, True]
        assert (await store.head()).position == 3
