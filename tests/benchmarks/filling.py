"""A long log, made inside the server, through all constraints and indexes."""

from __future__ import annotations

import psycopg

from tests.benchmarks.load import PAYLOAD
from tests.benchmarks.measure import say

CHUNK = 200_000
STREAM = 10  # events of each stream
LONG = 1000  # events of the one long stream

FILL = """
INSERT INTO events (position, recorded_at, occurred_on, event_id, version, entity_type, action, originator_id, metadata,
                    payload, append_size)
SELECT n, %(since)s::timestamptz + n * interval '1 millisecond', %(since)s::timestamptz + n * interval '1 millisecond',
       -- as ours are: growing with time
       (lpad(to_hex(n), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid,
       CASE WHEN n <= %(long)s THEN n ELSE n %% %(stream)s + 1 END, 'User', 'Created',
       CASE WHEN n <= %(long)s THEN 'long' ELSE 's' || md5((n / %(stream)s)::text) END,
       '{"correlation_id":"' || (lpad(to_hex(n), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8'
           || substr(md5(n::text), 4, 15))::uuid || '"}', %(payload)s, 1
  FROM generate_series(%(first)s::bigint, %(last)s) AS n"""


def fill(url: str, first: int, last: int) -> None:
    """Events from a position to another, ten a stream; the first thousand are one stream named `long`."""
    with psycopg.connect(url, options="-c search_path=eventstore -c synchronous_commit=off", autocommit=True) as owner:
        for start in range(first, last + 1, CHUNK):
            end = min(start + CHUNK - 1, last)
            values = {"since": "2026-01-01T00:00:00Z", "first": start, "last": end, "long": LONG, "stream": STREAM,
                      "payload": PAYLOAD}  # fmt: skip
            owner.execute(FILL, values)
            if end % (5 * CHUNK) == 0:
                say(f"  {end:,} events")
        owner.execute("VACUUM ANALYZE events")


def stream_name(url: str, position: int) -> str:
    """The originator at a position."""
    with psycopg.connect(url, options="-c search_path=eventstore") as owner:
        row = owner.execute("SELECT originator_id FROM events WHERE position = %s", (position,)).fetchone()
    assert row is not None
    return str(row[0])
