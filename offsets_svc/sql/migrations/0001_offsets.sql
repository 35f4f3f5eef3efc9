-- Offsets: how far each consumer has come in each partition, and who may say so.

CREATE TABLE consumers (
    name       text        COLLATE "C" PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_seen  timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON COLUMN consumers.last_seen IS 'Its last claim or commit.';

CREATE TABLE offsets (
    consumer      text        COLLATE "C" NOT NULL REFERENCES consumers (name) ON DELETE CASCADE,
    topic         text        COLLATE "C" NOT NULL,
    partition     integer     NOT NULL CHECK (partition >= 0),
    epoch         bigint      NOT NULL DEFAULT 0,
    member        text,
    next_offset   bigint      CHECK (next_offset >= 0),
    position      bigint      CHECK (position >= 0),
    updated_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (consumer, topic, partition)
) WITH (fillfactor = 70);
COMMENT ON COLUMN offsets.epoch IS 'Grows with each claim; a commit with an older one is refused. 0: never claimed.';
COMMENT ON COLUMN offsets.next_offset IS 'The next record to read, as Kafka counts; NULL: nothing committed yet.';
COMMENT ON COLUMN offsets.position IS 'Log position of the last event whose effect is done.';

-- eskit_<schema>_writer: what the offsets service works as.
DO $$
DECLARE
    writer text := 'eskit_' || current_schema() || '_writer';
BEGIN
    BEGIN
        EXECUTE format('CREATE ROLE %I NOLOGIN', writer);
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
        NULL;  -- roles belong to the whole server: another database of it, or a migration at the same moment, made it
    END;
    EXECUTE format('GRANT %I TO CURRENT_USER', writer);
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), writer);
    EXECUTE format('GRANT SELECT ON eskit_migrations TO %I', writer);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON consumers, offsets TO %I', writer);
END $$;
