-- Least rights: group roles without login; a service works as one of them (SET ROLE), its login is a member of it.
--   eskit_<schema>_writer: read the log, append by the function only.
--   eskit_<schema>_relay:  read the log, remove from the outbox, hold the lease, pin the topic.
DO $$
DECLARE
    writer text := 'eskit_' || current_schema() || '_writer';
    relay  text := 'eskit_' || current_schema() || '_relay';
    name   text;
BEGIN
    FOREACH name IN ARRAY ARRAY[writer, relay] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', name);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;  -- roles belong to the whole server: another database of it, or a migration at the same moment, made it
        END;
        EXECUTE format('GRANT %I TO CURRENT_USER', name);
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), name);
        EXECUTE format('GRANT SELECT ON eskit_migrations, events, outbox TO %I', name);
    END LOOP;
    EXECUTE format('GRANT EXECUTE ON FUNCTION append_batch TO %I', writer);
    EXECUTE format('GRANT DELETE ON outbox TO %I', relay);
    EXECUTE format('GRANT SELECT, UPDATE ON relay_lease TO %I', relay);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE ON relay_topic TO %I', relay);
END $$;
