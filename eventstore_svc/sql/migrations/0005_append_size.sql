-- What was appended together stays known: a repeat of a part of an atomic append is told from a repeat of all of it.
-- NOT VALID: there is nothing to check in rows that are there already, and it would read all of a long log to find out.
ALTER TABLE events ADD COLUMN append_size smallint;
ALTER TABLE events ADD CONSTRAINT events_append_size_check CHECK (append_size >= 0) NOT VALID;
COMMENT ON COLUMN events.append_size IS
    'Of an append''s first event: how many it has; 0 for its others; NULL for what was stored before this was kept.';

DROP FUNCTION append_batch;

-- As in 0002, with one argument more: append_sizes[i] is how many events the append has for its first one, else 0.
--
-- The plans of its statements are made once a session, and never by reading the whole table: made for a log that is new
-- and empty they would have to be good for a long one, too; and making them anew costs more than a small batch.
CREATE FUNCTION append_batch(
    append_of integer[], append_sizes integer[], stream_of integer[], wanted integer[], event_ids uuid[], actions text[],
    payloads text[], metadatas text[], occurred timestamptz[], stream_types text[], stream_ids text[], known_ids uuid[],
    OUT failed integer[], OUT positions bigint[], OUT versions integer[]
) LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
  SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
    now_at    timestamptz;
    before    bigint;         -- position of the log's last event
    head      bigint;         -- the same, as the batch goes on
    latest    integer[];      -- of each stream of the batch: its version, as the batch goes on
    found_ids uuid[];
    total     CONSTANT integer := cardinality(append_of);
    append    integer;        -- the append at hand
    first     integer;        -- its first event
    fault     integer;        -- why it is not stored, 0 so far
    stream    integer;
    version   integer;
    inserted  integer;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('eskit.log ' || current_schema(), 0));

    SELECT position, recorded_at INTO before, now_at FROM events ORDER BY position DESC LIMIT 1;
    before := coalesce(before, 0);
    head := before;
    -- Never back along the log, also when the clock goes back.
    now_at := greatest(clock_timestamp(), now_at);

    SELECT array_agg(coalesce(e.version, 0) ORDER BY s.n) INTO latest
      FROM unnest(stream_types, stream_ids) WITH ORDINALITY AS s (entity_type, originator_id, n)
      LEFT JOIN LATERAL (
           SELECT events.version FROM events
            WHERE events.entity_type = s.entity_type AND events.originator_id = s.originator_id
            ORDER BY events.version DESC LIMIT 1) AS e ON true;
    IF cardinality(known_ids) > 0 THEN
        SELECT array_agg(event_id) INTO found_ids FROM events WHERE event_id = ANY (known_ids);
    END IF;

    failed := array_fill(0, ARRAY[coalesce(append_of[total], 0)]);
    positions := array_fill(NULL::bigint, ARRAY[total]);
    versions := array_fill(NULL::integer, ARRAY[total]);
    FOR i IN 1 .. total LOOP
        IF append_of[i] IS DISTINCT FROM append THEN
            append := append_of[i];
            first := i;
            fault := 0;
        ELSIF fault <> 0 THEN
            CONTINUE;  -- the rest of an append that is not stored
        END IF;

        stream := stream_of[i];
        version := latest[stream] + 1;
        IF wanted[i] <> 0 AND ((wanted[i] > 0 AND wanted[i] <> version) OR (wanted[i] = -1 AND version = 1)) THEN
            fault := i;
        END IF;
        IF found_ids IS NOT NULL AND event_ids[i] = ANY (found_ids) THEN
            fault := -i;
        END IF;

        IF fault = 0 THEN
            head := head + 1;
            positions[i] := head;
            versions[i] := version;
            latest[stream] := version;
        ELSE
            -- Undo what this append has taken so far, and remember why.
            FOR k IN first .. i - 1 LOOP
                positions[k] := NULL;
                latest[stream_of[k]] := latest[stream_of[k]] - 1;
                head := head - 1;
            END LOOP;
            failed[append] := fault;
            versions[i] := latest[stream];
        END IF;
    END LOOP;

    INSERT INTO events (position, recorded_at, occurred_on, event_id, version, entity_type, action, originator_id,
                        metadata, payload, append_size)
    SELECT n.position, now_at, coalesce(n.occurred, now_at), n.event_id, n.version, s.entity_type, n.action, s.originator_id,
           n.metadata, n.payload, n.append_size
      FROM unnest(positions, versions, stream_of, event_ids, actions, payloads, metadatas, occurred, append_sizes)
           AS n (position, version, stream, event_id, action, payload, metadata, occurred, append_size)
      JOIN unnest(stream_types, stream_ids) WITH ORDINALITY AS s (entity_type, originator_id, stream) USING (stream)
     WHERE n.position IS NOT NULL
       -- Not json columns, which would check the same but not refuse an array or a number.
       AND json_typeof(n.payload::json) = 'object' AND json_typeof(n.metadata::json) = 'object';
    GET DIAGNOSTICS inserted = ROW_COUNT;
    IF inserted <> head - before THEN
        -- Arrays that do not fit together, or a payload that is no JSON object, must not leave a hole in the log.
        RAISE EXCEPTION 'append_batch: % positions for % events', head - before, inserted USING ERRCODE = 'data_exception';
    END IF;
    INSERT INTO outbox (position) SELECT generate_series(before + 1, head);
END $$;
COMMENT ON FUNCTION append_batch IS 'Stores a batch of appends; see the migrations that made it, 0002 and 0005.';
REVOKE ALL ON FUNCTION append_batch FROM PUBLIC;
DO $$
BEGIN
    EXECUTE format('GRANT EXECUTE ON FUNCTION append_batch TO %I', 'eskit_' || current_schema() || '_writer');
END $$;
