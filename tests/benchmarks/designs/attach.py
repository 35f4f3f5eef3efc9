"""From today's table to a partitioned one without copying it: what each step takes, and what appends cost then."""

from __future__ import annotations

import time

from tests.benchmarks.designs.logs import Log, compare, connected, copied, filled_server, report
from tests.benchmarks.designs.partitions import FUNCTION
from tests.benchmarks.designs.reading import redefine
from tests.benchmarks.measure import row, say

# What each is, whether appends go on meanwhile, and the statements. `bound` lies well above the log's head.
STEPS = (
    (
        "tables beside the log",
        """CREATE TABLE event_ids (event_id uuid, position bigint NOT NULL);
CREATE TABLE stream_versions (
    entity_type text COLLATE "C", originator_id text COLLATE "C", version integer, position bigint NOT NULL)""",
    ),
    (
        "fill them, a range of positions after the other",
        """INSERT INTO event_ids SELECT event_id, position FROM events WHERE position <= {head};
INSERT INTO stream_versions SELECT entity_type, originator_id, version, position FROM events
 WHERE position <= {head}""",
    ),
    (
        "make them unique",
        """ALTER TABLE event_ids ADD PRIMARY KEY (event_id);
ALTER TABLE stream_versions ADD PRIMARY KEY (entity_type, originator_id, version)""",
    ),
    (
        "say what the table holds",
        "ALTER TABLE events ADD CONSTRAINT events_range CHECK (position >= 1 AND position < {bound}) NOT VALID",
    ),
    ("prove it", "ALTER TABLE events VALIDATE CONSTRAINT events_range"),
    (
        "change over, in one transaction",
        """BEGIN;
SELECT pg_advisory_xact_lock(hashtextextended('eskit.log ' || current_schema(), 0));
INSERT INTO event_ids SELECT event_id, position FROM events WHERE position > {head};
INSERT INTO stream_versions SELECT entity_type, originator_id, version, position FROM events WHERE position > {head};
ALTER TABLE events RENAME TO events_1;
ALTER TABLE events_1 RENAME CONSTRAINT events_position TO events_1_position;
ALTER INDEX events_correlation RENAME TO events_1_correlation;
CREATE TABLE events (LIKE events_1 INCLUDING DEFAULTS, CONSTRAINT events_position PRIMARY KEY (position))
    PARTITION BY RANGE (position);
CREATE INDEX events_correlation ON events ("left"(correlation_of(metadata), 100) COLLATE "C", position)
    WHERE correlation_of(metadata) <> event_id::text;
ALTER TABLE events ATTACH PARTITION events_1 FOR VALUES FROM (1) TO ({bound});
CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ({bound}) TO (2 * {bound}::bigint);
COMMIT""",
    ),
    (
        "drop what the tables beside it keep",
        "ALTER TABLE events_1 DROP CONSTRAINT events_stream, DROP CONSTRAINT events_event_id",
    ),
)


def run(rounds: int, events: int) -> None:
    """The steps, then appends to the attached partition and to the next one."""
    with filled_server(events) as server:
        urls = {"today": copied(server, "today")}
        # The bound lies far above the head, or at it, so that appends go to the next partition.
        for name, bound in (("attached", 100 * events), ("the next partition", events + 1)):
            urls[name] = copied(server, name.replace(" ", "_"))
            say("\n" + row(f"step ({name})", "s"))
            say("|---|---|")
            with connected(urls[name]) as owner:
                for step, text in STEPS:
                    started = time.perf_counter()
                    owner.execute(text.format(head=events - 1000, bound=bound))
                    say(row(step, f"{time.perf_counter() - started:.2f}"))
                owner.execute("ANALYZE")
            redefine(urls[name], *FUNCTION)
        logs = {name: Log(url) for name, url in urls.items()}
        for size, batches in ((64, 40), (1000, 6)):
            report(f"append, {size} events a batch", compare(logs, size, rounds, batches))
