"""Times: microseconds since 1970 inside, RFC 3339 UTC with six digits on the wire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def micros(moment: datetime) -> int:
    """Microseconds since 1970 of an aware datetime, exactly."""
    return (moment - EPOCH) // MICROSECOND


def moment(micros_since_1970: int) -> datetime:
    """The aware UTC datetime of microseconds since 1970."""
    return EPOCH + timedelta(microseconds=micros_since_1970)


def rfc3339(micros_since_1970: int) -> str:
    """`2026-11-24T06:35:54.000000Z`."""
    return f"{_to_the_second(micros_since_1970 // 1_000_000)}.{micros_since_1970 % 1_000_000:06d}Z"


@lru_cache(maxsize=10_000)
def _to_the_second(seconds_since_1970: int) -> str:
    # Events of a page or of a batch share their seconds; making this text is most of the work.
    return (EPOCH + timedelta(seconds=seconds_since_1970)).replace(tzinfo=None).isoformat()
