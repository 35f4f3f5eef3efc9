-- Dead letters: records that consumers have set aside, and the keys whose later records wait behind them.

CREATE TABLE parked (
    consumer     text        COLLATE "C" NOT NULL REFERENCES consumers (name) ON DELETE CASCADE,
    topic        text        COLLATE "C" NOT NULL,
    partition    integer     NOT NULL,
    key          text        COLLATE "C" NOT NULL,
    retry        boolean     NOT NULL DEFAULT false,
    first_offset bigint      NOT NULL,
    since        timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (consumer, topic, partition, key)
);
COMMENT ON TABLE parked IS 'A key waits exactly as long as its row is here; only the owner of the partition takes it away.';
COMMENT ON COLUMN parked.key IS 'The originator''s id; empty: the records that cannot be read.';
COMMENT ON COLUMN parked.retry IS 'Somebody wants its letters to be handled again.';
CREATE INDEX ON parked (consumer, topic, partition) WHERE retry;

CREATE TABLE letters (
    consumer       text        COLLATE "C" NOT NULL REFERENCES consumers (name) ON DELETE CASCADE,
    topic          text        COLLATE "C" NOT NULL,
    partition      integer     NOT NULL,
    record_offset  bigint      NOT NULL,
    key            text        COLLATE "C" NOT NULL,
    position       bigint,
    event_type     text,
    event_id       text,
    failed         boolean     NOT NULL,
    error_type     text        NOT NULL,
    error          text        NOT NULL,
    traceback_hash text        NOT NULL,
    attempts       integer     NOT NULL,
    value          bytea,
    headers        bytea       NOT NULL,
    set_aside_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (consumer, topic, partition, record_offset)
);
COMMENT ON COLUMN letters.failed IS 'Its handler failed, or it cannot be read; false: it waits behind one that did.';
COMMENT ON COLUMN letters.headers IS 'The record''s headers, as JSON.';
CREATE INDEX ON letters (consumer, topic, partition, key, record_offset);

DO $$
BEGIN
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON parked, letters TO %I', 'eskit_' || current_schema() || '_writer');
END $$;
