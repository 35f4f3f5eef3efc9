-- What readers ask for beside ranges: events as the JSON of the contract, links of cause, the log and a stream as they were.

-- Rows that never change can be frozen soon after they came, while their pages are still in memory and in the same
-- checkpoint. Left to the defaults it happens much later and all at once: a long log is read and written anew.
ALTER TABLE events SET (autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000,
                        autovacuum_freeze_min_age = 0);

-- A time as RFC 3339, in UTC, with all its microseconds.
CREATE FUNCTION rfc3339(moment timestamptz) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;

-- One event as REST answers it, made where the row is: nothing in the service has to look into it. Writing a time is a
-- good part of the work, and most events have occurred when they were recorded: then it is written once.
CREATE FUNCTION event_json(
    "position" bigint, event_id uuid, entity_type text, originator_id text, version integer, action text, payload text,
    metadata text, occurred_on timestamptz, recorded_at timestamptz
) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT '{"position":' || position || ',"event_id":"' || event_id || '","originator":{"id":' || to_json(originator_id)
        || ',"version":' || version || '},"entity_type":"' || entity_type || '","event_type":"' || entity_type || '.' || action
        || '","payload":' || payload || ',"metadata":' || metadata
        || CASE WHEN occurred_on = recorded_at
                THEN replace(',"occurred_on":"@","recorded_at":"@"}', '@', rfc3339(recorded_at))
                ELSE ',"occurred_on":"' || rfc3339(occurred_on) || '","recorded_at":"' || rfc3339(recorded_at) || '"}' END
$$;

-- Whether a filter wants an event: one entity type only, where one is given; and everything, or what any term of a selector
-- says: `User.*` (whole types), `*.Deleted` (actions), `User.Created` (event types).
CREATE FUNCTION is_wanted(
    entity_type text, action text, only_type text, everything boolean, whole_types text[], actions text[], event_types text[]
) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (only_type IS NULL OR entity_type = only_type)
       AND (everything OR entity_type = ANY (whole_types) OR action = ANY (actions)
            OR entity_type || '.' || action = ANY (event_types))
$$;

-- PostgreSQL cannot decode \u0000, wherever in the metadata it stands: it is left out. Nor half a surrogate pair, which no
-- client can send: NULL. (A backslash that stands for itself comes first in the patterns: what follows it is no escape.)
-- Most metadata holds no escape at all.
CREATE FUNCTION correlation_of(metadata text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN strpos(metadata, '\u') = 0 THEN metadata::json ->> 'correlation_id'
                WHEN regexp_replace(metadata, '\\\\', '', 'g') !~ '\\u[dD][89a-fA-F]'
                THEN regexp_replace(metadata, '(\\\\)|\\u0000', '\1', 'g')::json ->> 'correlation_id' END
$$;

-- Most events start a chain of causes and correlate with themselves: those are found by their id and left out here.
-- By the id's beginning, because an entry of an index has to be short. In the order of the log, so that a page of a long
-- chain costs no more than that of a short one.
CREATE INDEX events_correlation ON events ("left"(correlation_of(metadata), 100) COLLATE "C", position)
    WHERE correlation_of(metadata) <> event_id::text;

-- The last position that was recorded at a moment or before; 0 for none. Positions are dense and their times never go
-- back, so it is found in some thirty steps, without an index on the times.
CREATE FUNCTION position_at(moment timestamptz) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
    low    bigint := 0;
    high   bigint;
    middle bigint;
BEGIN
    SELECT coalesce(max(position), 0) INTO high FROM events;
    WHILE low < high LOOP
        middle := (low + high + 1) / 2;
        IF (SELECT recorded_at FROM events WHERE position = middle) <= moment THEN
            low := middle;
        ELSE
            high := middle - 1;
        END IF;
    END LOOP;
    RETURN low;
END $$;

-- The version a stream had when the log ended at a position; 0 when it did not exist yet. Found as above.
CREATE FUNCTION version_at(kind text, originator text, log_end bigint) RETURNS integer LANGUAGE plpgsql STABLE AS $$
DECLARE
    low    integer := 0;
    high   integer;
    middle integer;
BEGIN
    SELECT version INTO high FROM events
     WHERE entity_type = kind AND originator_id = originator ORDER BY version DESC LIMIT 1;
    WHILE low < high LOOP
        middle := low + (high - low + 1) / 2;
        IF (SELECT position FROM events
             WHERE entity_type = kind AND originator_id = originator AND version = middle) <= log_end THEN
            low := middle;
        ELSE
            high := middle - 1;
        END IF;
    END LOOP;
    RETURN low;
END $$;
