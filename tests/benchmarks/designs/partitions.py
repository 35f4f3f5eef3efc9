"""A log partitioned by position against today's: ids and versions are then unique in tables beside it only."""

from __future__ import annotations

from tests.benchmarks.designs.logs import Log, batch_of, compare, connected, copied, filled_server, report
from tests.benchmarks.designs.reading import TODAY, compare_reads, redefine, tell_sizes, values_of

MOVE = """
ALTER TABLE events RENAME TO old;
ALTER TABLE old DROP CONSTRAINT events_event_id, DROP CONSTRAINT events_stream;
ALTER TABLE old RENAME CONSTRAINT events_position TO old_position;
DROP INDEX events_correlation;
CREATE TABLE events (LIKE old INCLUDING DEFAULTS INCLUDING CONSTRAINTS,
                     CONSTRAINT events_position PRIMARY KEY (position)) PARTITION BY RANGE (position);
DO $$ BEGIN
    FOR n IN 0 .. {count} LOOP
        EXECUTE format('CREATE TABLE events%s PARTITION OF events FOR VALUES FROM (%s) TO (%s)',
                       n, n::bigint * {each} + 1,
                       CASE n WHEN {count} THEN 'MAXVALUE' ELSE ((n + 1)::bigint * {each} + 1)::text END);
    END LOOP;
END $$;
CREATE INDEX events_correlation ON events ("left"(correlation_of(metadata), 100) COLLATE "C", position)
    WHERE correlation_of(metadata) <> event_id::text;
CREATE TABLE event_ids (event_id uuid, position bigint NOT NULL, PRIMARY KEY (event_id)) {by_id};
CREATE TABLE stream_versions (
    entity_type text COLLATE "C", originator_id text COLLATE "C", version integer, position bigint NOT NULL,
    PRIMARY KEY (entity_type, originator_id, version)) {by_stream};
{side}
INSERT INTO events SELECT * FROM old ORDER BY position;
INSERT INTO event_ids SELECT event_id, position FROM old ORDER BY position;
INSERT INTO stream_versions SELECT entity_type, originator_id, version, position FROM old ORDER BY position;
DROP TABLE old"""
HASHED = "CREATE TABLE {table}{n} PARTITION OF {table} FOR VALUES WITH (MODULUS 8, REMAINDER {n});"
FUNCTION = (
    ("SELECT events.version FROM events\n", "SELECT events.version FROM stream_versions AS events\n"),
    ("INTO found_ids FROM events WHERE", "INTO found_ids FROM event_ids WHERE"),
    (
        "INSERT INTO outbox",
        """INSERT INTO event_ids (event_id, position)
    SELECT n.event_id, n.position FROM unnest(positions, event_ids) AS n (position, event_id)
     WHERE n.position IS NOT NULL;
    INSERT INTO stream_versions (entity_type, originator_id, version, position)
    SELECT s.entity_type, s.originator_id, n.version, n.position
      FROM unnest(positions, versions, stream_of) AS n (position, version, stream)
      JOIN unnest(stream_types, stream_ids) WITH ORDINALITY AS s (entity_type, originator_id, stream) USING (stream)
     WHERE n.position IS NOT NULL;
    INSERT INTO outbox""",
    ),
)
# A plain join is planned as a hash join over all partitions, and takes far longer.
EACH = "CROSS JOIN LATERAL (SELECT * FROM events WHERE events.position = found.position LIMIT 1) AS event"
STREAM = f"""SELECT event.* FROM (SELECT version, position FROM stream_versions
  WHERE entity_type = '{{{{kind}}}}' AND originator_id = '{{stream}}' ORDER BY version LIMIT 1000) AS found {EACH}
 ORDER BY found.version"""
QUERIES = dict(TODAY) | {
    "stream of 10": STREAM.format(stream="{stream}"),
    "stream of 1,000": STREAM.format(stream="long"),
    "event by id": f"SELECT event.* FROM event_ids AS found {EACH} WHERE found.event_id = '{{event_id}}'",
}
DESIGNS = {"10 partitions": (10, False), "100 partitions": (100, False), "10, side tables by hash": (10, True)}


def run(rounds: int, events: int) -> None:
    """Appends with new ids and with given ones, reads, sizes."""
    with filled_server(events) as server:
        urls = {"today": copied(server, "today")}
        for n, (name, (count, hashed)) in enumerate(DESIGNS.items()):
            urls[name] = copied(server, f"v{n}", _move(count, events // count, hashed=hashed))
            redefine(urls[name], *FUNCTION)
        for name, url in urls.items():
            with connected(url) as owner:
                owner.execute("VACUUM ANALYZE")
            tell_sizes(name, url)
        designs = {name: (url, TODAY if name == "today" else QUERIES) for name, url in urls.items()}
        compare_reads(designs, values_of(urls["today"], events), rounds)
        logs = {name: Log(url) for name, url in urls.items()}
        for size, batches in ((1, 100), (64, 40), (1000, 6)):
            report(f"append, {size} events a batch", compare(logs, size, rounds, batches))
        given = dict.fromkeys(logs, batch_of(given=True))
        report("append, 64 events, ids given", compare(logs, 64, rounds, 40, given))


def _move(count: int, each: int, *, hashed: bool) -> str:
    by = ("PARTITION BY HASH (event_id)", "PARTITION BY HASH (entity_type, originator_id)") if hashed else ("", "")
    tables = ("event_ids", "stream_versions") if hashed else ()
    side = "\n".join(HASHED.format(table=table, n=n) for table in tables for n in range(8))
    return MOVE.format(count=count, each=each, by_id=by[0], by_stream=by[1], side=side)
