-- The schema of the CRUD service: what it keeps beside the log. All of it can be made again from the events.

CREATE TABLE snapshots (
    entity_type   text        COLLATE "C" NOT NULL,
    originator_id text        COLLATE "C" NOT NULL,
    version       integer     NOT NULL CHECK (version >= 1),
    format        smallint    NOT NULL,
    position      bigint      NOT NULL,
    recorded_at   timestamptz NOT NULL,
    deleted_at    integer     NOT NULL DEFAULT 0,
    body          text        COLLATE "C",
    PRIMARY KEY (entity_type, originator_id, version)
);
COMMENT ON TABLE snapshots IS 'States of entities, so that a read need not fold the whole stream. A cache: rows may be dropped.';
COMMENT ON COLUMN snapshots.format IS 'Of the program that wrote it: rows of another format are not read, and written anew.';
COMMENT ON COLUMN snapshots.position IS 'Log position of the event with this version.';
COMMENT ON COLUMN snapshots.body IS 'The document as JSON, exactly as a read answers it; NULL when there is none.';
COMMENT ON COLUMN snapshots.deleted_at IS 'Version of the deletion; 0 unless deleted.';

-- eskit_<schema>_writer: what the CRUD service works as. It reads and appends to the log of the same name.
DO $$
DECLARE
    writer text := 'eskit_' || current_schema() || '_writer';
    log_writer text := 'eskit_' || regexp_replace(current_schema(), '^crud', 'eventstore') || '_writer';
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[writer, log_writer] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', name);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;  -- roles belong to the whole server: another database of it, or another migration, made it
        END;
    END LOOP;
    EXECUTE format('GRANT %I TO CURRENT_USER', writer);
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), writer);
    EXECUTE format('GRANT SELECT ON eskit_migrations TO %I', writer);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON snapshots TO %I', writer);
    EXECUTE format('GRANT %I TO %I', log_writer, writer);
END $$;
