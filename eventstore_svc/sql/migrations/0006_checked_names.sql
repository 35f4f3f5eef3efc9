-- Names are checked where the service cannot be passed by: a login that calls the function by itself could store types
-- that no selector means, and ids that break whatever line they are written to.

-- NOT VALID, and never validated: it would read the whole log, and what an old version stored is not to be refused now.
ALTER TABLE events ADD CONSTRAINT events_type_size CHECK (octet_length(entity_type) + octet_length(action) < 200) NOT VALID;

-- As in 0005, with the checks of names before it takes the lock. They look at all of a batch at once: as constraints of
-- the table, row by row, they would cost twice as much.
CREATE OR REPLACE FUNCTION append_batch(
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
    -- A word, and a list of words as an array is written: what is none of them stands there in quotes, as does `null`.
    word      CONSTANT text := '([A-Za-z_][A-Za-z0-9_]*|"[Nn][Uu][Ll][Ll]")';
    dotted    CONSTANT text := word || '(\.' || word || ')*';
BEGIN
    IF stream_types::text !~ ('^\{(' || dotted || '(,' || dotted || ')*)?\}$')
       OR actions::text !~ ('^\{(' || word || '(,' || word || ')*)?\}$') THEN
        RAISE EXCEPTION 'append_batch: a type is no words with dots between' USING ERRCODE = 'data_exception';
    END IF;
    -- Control characters, the line ends of Unicode, and what no URL can name.
    IF array_to_string(stream_ids, '') ~ '[\u0001-\u001f\u007f-\u009f\u2028\u2029]' OR '.' = ANY (stream_ids)
       OR '..' = ANY (stream_ids) THEN
        RAISE EXCEPTION 'append_batch: an originator id is not printable' USING ERRCODE = 'data_exception';
    END IF;

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
COMMENT ON FUNCTION append_batch IS 'Stores a batch of appends; see the migrations that made it: 0002, 0005, 0006.';
