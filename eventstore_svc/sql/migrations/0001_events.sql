-- The log: events, the outbox beside it, and the roles that may touch them.

CREATE TABLE events (
    position      bigint      NOT NULL,
    recorded_at   timestamptz NOT NULL,
    occurred_on   timestamptz NOT NULL,
    event_id      uuid        NOT NULL,
    version       integer     NOT NULL CHECK (version >= 1),
    entity_type   text        COLLATE "C" NOT NULL,
    action        text        COLLATE "C" NOT NULL,
    originator_id text        COLLATE "C" NOT NULL,
    metadata      text        COLLATE "C" NOT NULL,
    -- text, not jsonb: what was sent is what is kept, to the byte.
    payload       text        COLLATE "C" NOT NULL,
    CONSTRAINT events_position PRIMARY KEY (position),
    CONSTRAINT events_stream UNIQUE (entity_type, originator_id, version),
    CONSTRAINT events_event_id UNIQUE (event_id),
    CONSTRAINT events_originator_id_size CHECK (octet_length(originator_id) BETWEEN 1 AND 200),
    CONSTRAINT events_names CHECK (entity_type <> '' AND action <> ''),
    -- What RFC 3339 can say; infinity and years of five digits could be stored, and then not be read.
    CONSTRAINT events_occurred_on CHECK (
        occurred_on >= '0001-01-01 00:00:00+00' AND occurred_on < '10000-01-01 00:00:00+00')
);
COMMENT ON TABLE events IS 'The log. Positions are 1..N without holes; rows are never changed or removed.';
COMMENT ON COLUMN events.action IS 'Last word of the event type; the event type is entity_type.action.';

CREATE TABLE outbox (
    position bigint NOT NULL PRIMARY KEY
);
COMMENT ON TABLE outbox IS 'Positions that are not known to be on the topic yet; the relay removes prefixes of it.';
-- A queue: rows come at one end and leave at the other, so the dead ones must be swept often.
ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'events are never changed or removed (%)', TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER events_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
