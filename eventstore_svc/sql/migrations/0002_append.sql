-- The only way into the log: one call stores a batch of appends, each all or nothing, one after the other.
--
-- Everything after the lock runs in this one function, so that no client round trip happens while the lock is held.
-- plpgsql takes a new snapshot for each statement (READ COMMITTED): what is read after the lock is what is committed.
-- The lock is held through the commit, so positions become visible in their order.
--
-- An event i belongs to append append_of[i] (1, 2, 3 …, not decreasing) and to stream stream_of[i], an index into
-- stream_types/stream_ids. wanted[i] is the version it wants to take; or 0: the next one; or -1: the next one of a stream
-- that exists. known_ids are the event ids that may be in the log already.
--
-- Answers, for each event, its position (NULL: its append was not stored) and its version; for an append that was not
-- stored, versions[failed[append]] is the stream's actual version. failed[append]: 0 stored, i the event whose version did
-- not fit, -i the event whose id is in the log already.
CREATE FUNCTION append_batch(
    append_of integer[], stream_of integer[], wanted integer[], event_ids uuid[], actions text[], payloads text[],
    metadatas text[], occurred timestamptz[], stream_types text[], stream_ids text[], known_ids uuid[],
    OUT failed integer[], OUT positions bigint[], OUT versions integer[]
) LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    now_at    timestamptz;
    before    bigint;         -- position of the log's last event
    head      bigint;         -- the same, as the batch goes on
    latest    integer[];      -- of each stream of the batch: its version, as the batch goes on
    found_ids uuid[];
    total     CONSTANT integer := cardinality(append_of);
    first     integer := 1;   -- first event of the append at hand
    i         integer;
    skipped   integer;
    inserted  integer;
    fault     integer;
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
    i := 1;
    WHILE i <= total LOOP
        fault := 0;
        IF found_ids IS NOT NULL AND event_ids[i] = ANY (found_ids) THEN
            fault := -i;
        ELSIF (wanted[i] > 0 AND wanted[i] <> latest[stream_of[i]] + 1) OR (wanted[i] = -1 AND latest[stream_of[i]] = 0) THEN
            fault := i;
        END IF;

        IF fault = 0 THEN
            head := head + 1;
            positions[i] := head;
            latest[stream_of[i]] := latest[stream_of[i]] + 1;
            versions[i] := latest[stream_of[i]];
            i := i + 1;
        ELSE
            -- Undo what this append has taken so far, remember why, go to the next append.
            FOR k IN first .. i - 1 LOOP
                positions[k] := NULL;
                latest[stream_of[k]] := latest[stream_of[k]] - 1;
                head := head - 1;
            END LOOP;
            failed[append_of[i]] := fault;
            versions[i] := latest[stream_of[i]];
            skipped := append_of[i];
            WHILE append_of[i] = skipped LOOP
                i := i + 1;
            END LOOP;
        END IF;
        IF append_of[i] IS DISTINCT FROM append_of[first] THEN
            first := i;
        END IF;
    END LOOP;

    INSERT INTO events (position, recorded_at, occurred_on, event_id, version, entity_type, action, originator_id,
                        metadata, payload)
    SELECT n.position, now_at, coalesce(n.occurred, now_at), n.event_id, n.version, s.entity_type, n.action, s.originator_id,
           n.metadata, n.payload
      FROM unnest(positions, versions, stream_of, event_ids, actions, payloads, metadatas, occurred)
           AS n (position, version, stream, event_id, action, payload, metadata, occurred)
      JOIN unnest(stream_types, stream_ids) WITH ORDINALITY AS s (entity_type, originator_id, stream) USING (stream)
     WHERE n.position IS NOT NULL
       -- Not json columns, which would check the same but not refuse an array or a number.
       AND json_typeof(n.payload::json) = 'object' AND json_typeof(n.metadata::json) = 'object';
    GET DIAGNOSTICS inserted = ROW_COUNT;
    IF inserted <> head - before THEN
        -- Arrays that do not fit together, or a payload that is no JSON object, must not leave a hole in the log.
        RAISE EXCEPTION 'append_batch: % positions for % events', head - before, inserted USING ERRCODE = 'data_exception';
    END IF;
    INSERT INTO outbox (position) SELECT n FROM unnest(positions) AS n WHERE n IS NOT NULL;
END $$;
COMMENT ON FUNCTION append_batch IS 'Stores a batch of appends; see the migration that made it.';
REVOKE ALL ON FUNCTION append_batch FROM PUBLIC;
