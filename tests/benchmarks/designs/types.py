"""Entity types and actions as numbers of a small table, against the text that today's log keeps."""

from __future__ import annotations

from tests.benchmarks.designs.logs import Log, batch_of, compare, connected, copied, filled_server, report
from tests.benchmarks.designs.reading import TODAY, compare_reads, redefine, tell_sizes, values_of

# Both designs are written anew, so that their indexes have grown alike.
TEXT = """
ALTER TABLE events RENAME TO old;
ALTER TABLE old RENAME CONSTRAINT events_position TO old_position;
ALTER TABLE old RENAME CONSTRAINT events_stream TO old_stream;
ALTER TABLE old RENAME CONSTRAINT events_event_id TO old_event_id;
ALTER INDEX events_correlation RENAME TO old_correlation;
CREATE TABLE events (LIKE old INCLUDING DEFAULTS INCLUDING CONSTRAINTS,
    CONSTRAINT events_position PRIMARY KEY (position),
    CONSTRAINT events_stream UNIQUE (entity_type, originator_id, version),
    CONSTRAINT events_event_id UNIQUE (event_id));
CREATE INDEX events_correlation ON events ("left"(correlation_of(metadata), 100) COLLATE "C", position)
    WHERE correlation_of(metadata) <> event_id::text;
INSERT INTO events SELECT position, recorded_at, occurred_on, event_id, version, '{kind}', '{action}', originator_id,
    metadata, payload, append_size FROM old ORDER BY position;
DROP TABLE old"""
NUMBERS = """
CREATE TABLE names (id integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY, name text COLLATE "C" NOT NULL UNIQUE);
INSERT INTO names (name) VALUES ('{kind}'), ('{action}');
ALTER TABLE events RENAME TO old;
ALTER TABLE old RENAME CONSTRAINT events_position TO old_position;
ALTER TABLE old RENAME CONSTRAINT events_stream TO old_stream;
ALTER TABLE old RENAME CONSTRAINT events_event_id TO old_event_id;
ALTER INDEX events_correlation RENAME TO old_correlation;
CREATE TABLE events (
    position bigint NOT NULL, recorded_at timestamptz NOT NULL, occurred_on timestamptz NOT NULL,
    event_id uuid NOT NULL,
    version integer NOT NULL CHECK (version >= 1), entity_type integer NOT NULL, action integer NOT NULL,
    originator_id text COLLATE "C" NOT NULL CHECK (octet_length(originator_id) BETWEEN 1 AND 200),
    metadata text COLLATE "C" NOT NULL, payload text COLLATE "C" NOT NULL,
    append_size smallint CHECK (append_size >= 0),
    CHECK (occurred_on >= '0001-01-01 00:00:00+00' AND occurred_on < '10000-01-01 00:00:00+00'),
    CONSTRAINT events_position PRIMARY KEY (position),
    CONSTRAINT events_stream UNIQUE (entity_type, originator_id, version),
    CONSTRAINT events_event_id UNIQUE (event_id));
CREATE INDEX events_correlation ON events ("left"(correlation_of(metadata), 100) COLLATE "C", position)
    WHERE correlation_of(metadata) <> event_id::text;
INSERT INTO events SELECT position, recorded_at, occurred_on, event_id, version, 1, 2, originator_id, metadata, payload,
    append_size FROM old ORDER BY position;
DROP TABLE old"""
FIND = """PERFORM pg_advisory_xact_lock(hashtextextended('eskit.log ' || current_schema(), 0));
    FOR attempt IN 1 .. 2 LOOP
        SELECT array_agg(names.id ORDER BY s.n) INTO type_ids
          FROM unnest(stream_types) WITH ORDINALITY AS s (name, n) JOIN names USING (name);
        SELECT array_agg(names.id ORDER BY s.n) INTO action_ids
          FROM unnest(actions) WITH ORDINALITY AS s (name, n) JOIN names USING (name);
        EXIT WHEN cardinality(type_ids) = cardinality(stream_types) AND cardinality(action_ids) = total;
        INSERT INTO names (name) SELECT DISTINCT unnest(stream_types || actions) ON CONFLICT DO NOTHING;
    END LOOP;"""
FUNCTION = (
    ("    fault     integer;", "    type_ids integer[]; action_ids integer[]; fault integer;"),
    ("PERFORM pg_advisory_xact_lock(hashtextextended('eskit.log ' || current_schema(), 0));", FIND),
    ("      FROM unnest(stream_types, stream_ids) WITH ORDINALITY AS s (entity_type, originator_id, n)",
     "      FROM unnest(type_ids, stream_ids) WITH ORDINALITY AS s (entity_type, originator_id, n)"),
    ("event_ids, actions, payloads", "event_ids, action_ids, payloads"),
    ("      JOIN unnest(stream_types, stream_ids)", "      JOIN unnest(type_ids, stream_ids)"),
)  # fmt: skip
COLUMNS = """events.position, recorded_at, occurred_on, event_id, version, t.name, a.name, originator_id, metadata,
 payload, append_size FROM events JOIN names AS t ON t.id = entity_type JOIN names AS a ON a.id = action"""
STREAM = f"""SELECT {COLUMNS} WHERE entity_type = (SELECT id FROM names WHERE name = '{{{{kind}}}}')
 AND originator_id = '{{stream}}' ORDER BY version LIMIT 1000"""
QUERIES = dict(TODAY) | {
    "page of 1,000": f"SELECT {COLUMNS} WHERE position BETWEEN {{middle}} AND {{middle}} + 999"
    " ORDER BY position LIMIT 1000",
    "stream of 10": STREAM.format(stream="{stream}"),
    "stream of 1,000": STREAM.format(stream="long"),
    "event by id": f"SELECT {COLUMNS} WHERE event_id = '{{event_id}}'",
}
KINDS = (("User", "Created"), ("com.acme.billing.Invoice", "LineItemAdded"))


def run(rounds: int, events: int) -> None:
    """Short names, and long ones."""
    with filled_server(events) as server:
        for n, (kind, action) in enumerate(KINDS):
            text = copied(server, f"text{n}", TEXT.format(kind=kind, action=action))
            numbers = copied(server, f"numbers{n}", NUMBERS.format(kind=kind, action=action))
            redefine(numbers, *FUNCTION)
            for name, url in (("text", text), ("numbers", numbers)):
                with connected(url) as owner:
                    owner.execute("VACUUM ANALYZE")
                tell_sizes(f"{kind}.{action} as {name}", url)
            designs = {"text": (text, TODAY), "numbers": (numbers, QUERIES)}
            compare_reads(designs, values_of(text, events, kind), rounds)
            logs = {"text": Log(text), "numbers": Log(numbers)}
            make = dict.fromkeys(logs, batch_of(kind=f"{kind}.{action}"))
            for size, batches in ((64, 40), (1000, 6)):
                found = compare(logs, size, rounds, batches, make)
                report(f"append of {kind}.{action}, {size} events a batch", found)
