-- Where the log ends in each partition of its topic, for readers that wait until they have all of it; and a key to sign with.

CREATE TABLE relay_ends (
    partition integer PRIMARY KEY,
    position  bigint  NOT NULL,
    published bigint  NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE relay_ends IS 'Written with each trim of the outbox, by the active relay.';
COMMENT ON COLUMN relay_ends.position IS 'The last position in this partition that is known to be on the topic; 0: none.';
COMMENT ON COLUMN relay_ends.published IS 'Everything up to here was on the topic then, in all partitions.';

CREATE TABLE signing_key (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    key      bytea   NOT NULL
);
COMMENT ON TABLE signing_key IS 'What services of this log sign cursors with: the same in all of them. Replace it, and old cursors are refused.';
-- Two random UUIDs: 244 bits from the server's strong random numbers.
INSERT INTO signing_key (key) VALUES (uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));

DO $$
DECLARE
    writer text := 'eskit_' || current_schema() || '_writer';
    relay  text := 'eskit_' || current_schema() || '_relay';
BEGIN
    EXECUTE format('GRANT SELECT ON relay_ends, relay_topic, signing_key TO %I', writer);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE ON relay_ends TO %I', relay);
END $$;
