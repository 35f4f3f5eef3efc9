-- Offsets belong to one life of a topic, can be reset, and leave a trace.

ALTER TABLE offsets ADD COLUMN topic_id text;
ALTER TABLE offsets ADD COLUMN reset_epoch bigint NOT NULL DEFAULT 0;
ALTER TABLE offsets ADD COLUMN noted_at timestamptz NOT NULL DEFAULT '-infinity';
COMMENT ON COLUMN offsets.topic_id IS 'Kafka''s id of the topic that the offset counts in; NULL: nobody has said. A topic made anew has another.';
COMMENT ON COLUMN offsets.reset_epoch IS 'The epoch of the last reset; 0: never reset.';
COMMENT ON COLUMN offsets.noted_at IS 'When the last row of commit_history was written for it.';

CREATE TABLE resets (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer   text        COLLATE "C" NOT NULL,
    topic      text        COLLATE "C" NOT NULL,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    what       text        NOT NULL,
    given_by   text,
    reason     text,
    forced     boolean     NOT NULL,
    partitions jsonb       NOT NULL
);
COMMENT ON TABLE resets IS 'Who has set offsets back or ahead, deleted a consumer, or discarded letters, and what it was before. Never deleted.';
CREATE INDEX ON resets (consumer, id);

CREATE TABLE commit_history (
    consumer    text        COLLATE "C" NOT NULL,
    topic       text        COLLATE "C" NOT NULL,
    partition   integer     NOT NULL,
    at          timestamptz NOT NULL,
    next_offset bigint      NOT NULL,
    position    bigint,
    PRIMARY KEY (consumer, topic, partition, at)
);
COMMENT ON TABLE commit_history IS 'How each offset has moved: a row in ten seconds at most, fewer of what is old.';
CREATE INDEX ON commit_history (at);

CREATE TABLE topics (
    topic text COLLATE "C" PRIMARY KEY
);
COMMENT ON TABLE topics IS 'The topics that consumers have claimed partitions of: their ends are watched.';
INSERT INTO topics SELECT DISTINCT topic FROM offsets;

DO $$
BEGIN
    EXECUTE format('GRANT SELECT, INSERT, DELETE ON commit_history TO %I', 'eskit_' || current_schema() || '_writer');
    EXECUTE format('GRANT SELECT, INSERT ON resets, topics TO %I', 'eskit_' || current_schema() || '_writer');
END $$;
